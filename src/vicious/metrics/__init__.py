"""Measures: image quality, answers, the reconstruction risk, intervals of means. Pure functions that know no model."""
