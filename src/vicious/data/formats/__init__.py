"""Readers of the official on-disk formats. They know no dataset by its name."""
