"""Attacks on target models, and their assessment."""
