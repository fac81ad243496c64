"""Which judged models belong together: a name for each way in which a model was made."""

import pandas as pd

from vicious.models.evaded import evasion
from vicious.results.schema import DETECTION

MODEL = DETECTION.part_of_key()  # columns of the scores that identify a judged model
HONEST = "honest"
VICIOUS = "vicious"


def of_weight(beta_r: float) -> str:
    """Those of the group ``vicious`` with one weight of the reconstruction loss: ``vicious, beta_R 0.3``."""
    return f"{VICIOUS}, beta_R {beta_r:g}"


def names(scores: pd.DataFrame) -> "pd.Series[str]":
    """The group of each row: ``honest``, ``honest, plain`` (another recipe), ``vicious``, ``vicious, linear evasion
    0.3`` (see :func:`evasion`), ``vicious, shuffled`` (a hidden code).

    Args:
        scores: with the columns ``role``, ``recipe``, ``evades``, ``evasion`` and ``hidden``.
    """
    penalty = pd.Series(map(evasion, scores["evades"], scores["evasion"]), scores.index, dtype=object)
    name = scores["role"].astype(str)
    for part in (scores["recipe"], penalty, scores["hidden"]):
        part = part.astype(str)  # of no rows pandas makes numbers
        name = name.where(part == "", name + ", " + part)
    return name


def named(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with the columns ``group``, see :func:`names`, and ``model``, a number for each judged model."""
    model = scores.groupby(list(MODEL), dropna=False, sort=False).ngroup()
    return scores.assign(group=names(scores), model=model, score=scores["score"].astype(float))


def standard(scores: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of models trained in the study's own way, by servers that do not know of detectors."""
    return names(scores).isin((HONEST, VICIOUS))
