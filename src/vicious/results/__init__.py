"""What assessments and detectors write: its schema, read back, summarised and compared.

Attacks and detectors write by the schema, so this package knows the measures and the files, and neither of them.
"""
