"""Adaptive penalties, one file each, found by the name of the detector or the rule that it is against."""
