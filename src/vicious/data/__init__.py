"""Datasets: the table of what exists, fetching, synthetic stand-ins, official formats, preparation."""
