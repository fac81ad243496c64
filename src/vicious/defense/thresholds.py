"""Thresholds from honest models alone, since a user has no vicious example: what they call vicious, and how they carry over.

A verdict is one sample of user images. The threshold lies :data:`SPREADS` standard deviations above the mean score of the verdicts on
honest reference models, those trained in the study's own way. A second one lies as far below: a model that tells less than
honest ones do may hide something.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.groups import HONEST, names

SPREADS = 3.0
COLUMNS = ("dataset", "detector", "n_user", "reference", "group", "models", "references", "share", "outside")
HELD_OUT = "honest, held out"


Limits = tuple[float, float]
"""Scores below the first and above the second are odd; above the second, vicious."""


def limits(scores: NDArray[np.float64]) -> Limits:
    """The two thresholds, from the scores of verdicts on honest models (n,), n at least 2."""
    mean, spread = float(scores.mean()), float(scores.std(ddof=1))
    return mean - SPREADS * spread, mean + SPREADS * spread


def called(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of verdicts that call a model vicious, a row for each dataset, detector, number of images, reference and group.

    Groups: ``honest, held out``, each model by the threshold from the other ones (with a threshold of another dataset from all of
    them); ``honest, plain`` and so on, honest models of another recipe; ``vicious``; ``vicious, evasion 1``, ``vicious, shuffled``
    and so on, those of adaptive servers. ``reference`` is the dataset whose
    honest models give the threshold, ``references`` their number, ``models`` how many models the share is over: the mean of
    each model's share of its verdicts above the upper threshold; ``outside`` is the same for those above it or below the lower one.
    Without two verdicts on reference models there is no row.

    Args:
        scores: rows as written by ``evaluate_defense``, of several models.
    """
    usable = scores.dropna(subset=["score"])
    rows = [row for _, group in usable.groupby(["detector", "n_user"], sort=False) for row in _rows(group)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(scores: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The rows of one detector and number of user images."""
    for dataset, here in scores.groupby("dataset", sort=False):
        for reference, there in scores.groupby("dataset", sort=False):
            honest = there.loc[names(there) == HONEST]
            if len(honest) < 2:
                continue
            told = {
                **{"dataset": dataset, "detector": here["detector"].iloc[0], "n_user": here["n_user"].iloc[0]},
                **{"reference": reference, "references": honest["seed"].nunique()},
            }
            shared = limits(honest["score"].to_numpy())
            for group, models in _groups(here):
                own = [
                    _held_out(honest, seed) if group == HELD_OUT and dataset == reference else shared
                    for (_, _, seed), _ in models
                ]
                shares = [
                    ((verdicts > known[1]).mean(), ((verdicts < known[0]) | (verdicts > known[1])).mean())
                    for known, (_, verdicts) in zip(own, models, strict=True)
                    if known is not None
                ]
                if shares:
                    above, outside = (float(share) for share in np.mean(shares, axis=0))
                    yield told | {"group": group, "models": len(shares), "share": above, "outside": outside}


def _held_out(honest: pd.DataFrame, seed: int) -> Limits | None:
    """The thresholds for a held out model, from the others; None where these have no two verdicts."""
    others = honest.loc[honest["seed"] != seed, "score"].to_numpy()
    return limits(others) if len(others) > 1 else None


def _groups(
    here: pd.DataFrame,
) -> Iterator[tuple[str, list[tuple[tuple[str, float, int], NDArray[np.float64]]]]]:
    """The models of a dataset by group, each with the scores of its verdicts."""
    named = names(here).replace({HONEST: HELD_OUT})
    for name in dict.fromkeys(named):
        models = here.loc[named == name].groupby(["outputs", "beta_r", "seed"], sort=False)["score"]
        yield str(name), [(cast(tuple[str, float, int], key), verdicts.to_numpy()) for key, verdicts in models]
