"""What assessments measured, read back, summarised and compared."""
