"""Which judged models belong together: a name for each way in which a model came about."""

import pandas as pd

MODEL = ("dataset", "task", "role", "outputs", "beta_r", "recipe", "evasion", "hidden", "seed")
"""Columns of the scores that tell one judged model from another."""
HONEST = "honest"
VICIOUS = "vicious"


def names(scores: pd.DataFrame) -> "pd.Series[str]":
    """The group of each row: ``honest``, ``honest, plain`` (another recipe), ``vicious``, ``vicious, evasion 0.3`` (a penalty
    against a detector), ``vicious, shuffled`` (a hidden code).

    Args:
        scores: with the columns ``role``, ``recipe``, ``evasion`` and ``hidden``.
    """
    evasion = scores["evasion"].map(lambda weight: f"evasion {weight:g}" if weight else "")
    name = scores["role"].astype(str)
    for part in (scores["recipe"], evasion, scores["hidden"]):
        part = part.astype(str)  # of no rows pandas makes numbers
        name = name.where(part == "", name + ", " + part)
    return name


def standard(scores: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of models trained in the study's own way, by servers that do not know of detectors."""
    return names(scores).isin((HONEST, VICIOUS))
