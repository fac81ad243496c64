"""Datasets: one file each, fetching, official formats, synthetic stand-ins, preparation, and reading what was
prepared."""
