"""Datasets, one file each; fetching, official formats, synthetic stand-ins, preparation, reading what was prepared.

What reads official or prepared files raises DataError where one is missing or damaged; what writes raises StorageError
where a file cannot be written.
"""
