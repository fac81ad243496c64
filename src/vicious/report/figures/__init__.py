"""Figures, one file each, found by its name (:mod:`vicious.study.artifacts`).

The function ``write`` of each file writes a .pdf, a .png and its caption as .md, and returns their paths. ``draw``
draws the figure; ``text`` is its caption with notes. What they share as arguments: ``summary``, rows of the
experiment's summary; ``scores``, rows of detection.csv.
"""
