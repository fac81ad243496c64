"""Datasets, one file each; fetching, official formats, synthetic stand-ins, preparation, reading what was prepared."""
