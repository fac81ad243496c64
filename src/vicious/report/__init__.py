"""Tables and figures, from summaries and assessments: no model is loaded here.

What reads or checks results raises DataError where an input is missing, damaged or lacks a column or row, and
MixedResultsError where inputs are of several configurations; what writes raises StorageError where a file cannot be
written.
"""
