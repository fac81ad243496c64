"""Measures: image quality, answers, the reconstruction risk, and intervals of means. Pure functions; they know no
model."""
