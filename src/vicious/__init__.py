"""Inference-time data reconstruction risk of classifiers: train, attack, measure, defend.

Importing the package imports neither torch nor numpy, so that planning and ``--help`` are instant.
"""

__version__ = "0.1.0"
