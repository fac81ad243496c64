"""Tables, one file each, found by its name (:mod:`vicious.study.artifacts`).

The function ``write`` of each file writes a .csv, .md and .tex and returns their paths. ``numbers`` is the CSV,
``columns`` and ``lines`` are printed, and ``text`` stands around it.

In a CSV, each measure has columns ``_mean``, ``_sd`` (ddof 1, over seeds) and ``_n`` (seeds that succeeded). Accuracies
and calibration errors are percentages, PSNR is in dB. ``seeds`` counts the seeds planned, ``failures`` names each
without a result, and why.
"""
