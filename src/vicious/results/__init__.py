"""What assessments and detectors write: its schema, read back, summarised and compared.

Attacks and detectors write by the schema, so this package knows the measures and the files, and neither of them.

What reads or checks results, here or elsewhere by :func:`~vicious.results.schema.read_table`, raises DataError where a
file is missing or damaged, or lacks a column or row, and MixedResultsError where results are of several configurations;
what writes raises StorageError where a file cannot be written.
"""
