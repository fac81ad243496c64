"""Adaptive penalties, one file each, found by the name of the detector that it is against."""
