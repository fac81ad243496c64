"""Thresholds from honest models alone, since a user has no vicious example: what they call vicious, and how they carry over.

A verdict is one sample of user images. The threshold lies :data:`SPREADS` standard deviations above the mean score of the verdicts on
honest reference models, those trained in the study's own way.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.groups import HONEST, names

SPREADS = 3.0
COLUMNS = ("dataset", "detector", "n_user", "reference", "group", "models", "references", "share")
HELD_OUT = "honest, held out"


def threshold(scores: NDArray[np.float64]) -> float:
    """The score above which a verdict is "vicious", from those on honest models (n,), n at least 2."""
    return float(scores.mean() + SPREADS * scores.std(ddof=1))


def called(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of verdicts that call a model vicious, a row for each dataset, detector, number of images, reference and group.

    Groups: ``honest, held out``, each model by the threshold from the other ones (with a threshold of another dataset from all of
    them); ``honest, plain`` and so on, honest models of another recipe; ``vicious``; ``vicious, evasion 1``, ``vicious, shuffled``
    and so on, those of adaptive servers. ``reference`` is the dataset whose
    honest models give the threshold, ``references`` their number, ``models`` how many models the share is over: the mean of
    each model's share of its verdicts. Without two verdicts on reference models there is no row.

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
            limit = threshold(honest["score"].to_numpy())
            for group, models in _groups(here):
                limits = [
                    _held_out(honest, seed) if group == HELD_OUT and dataset == reference else limit
                    for (_, _, seed), _ in models
                ]
                known = [
                    float((verdicts > own).mean())
                    for own, (_, verdicts) in zip(limits, models, strict=True)
                    if own is not None
                ]
                if known:
                    yield told | {"group": group, "models": len(known), "share": float(np.mean(known))}


def _held_out(honest: pd.DataFrame, seed: int) -> float | None:
    """The threshold for a held out model, from the others; None where these have no two verdicts."""
    others = honest.loc[honest["seed"] != seed, "score"].to_numpy()
    return threshold(others) if len(others) > 1 else None


def _groups(
    here: pd.DataFrame,
) -> Iterator[tuple[str, list[tuple[tuple[str, float, int], NDArray[np.float64]]]]]:
    """The models of a dataset by group, each with the scores of its verdicts."""
    named = names(here).replace({HONEST: HELD_OUT})
    for name in dict.fromkeys(named):
        models = here.loc[named == name].groupby(["outputs", "beta_r", "seed"], sort=False)["score"]
        yield str(name), [(cast(tuple[str, float, int], key), verdicts.to_numpy()) for key, verdicts in models]
