"""Thresholds from honest models alone, since a user has no vicious example: what they flag, and how they carry over.

A verdict is one sample of user images. The threshold lies :data:`SPREADS` standard deviations above the mean score of
the verdicts on honest reference models, those trained in the study's own way. A second one lies as far below: a model
that gives away less than honest ones do may hide something.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.evaluation.groups import HONEST, named
from vicious.results.schema import FLAGGED

SPREADS = 3.0
HELD_OUT = "honest, held out"
Verdicts = NDArray[Any]
"""A structured array (m,): verdicts of one detector with one number of user images, with their columns as fields."""


def limits(scores: NDArray[np.float64]) -> tuple[float, float]:
    """The two thresholds, from the scores of verdicts on honest models (n,), n at least 2."""
    mean, spread = float(scores.mean()), float(scores.std(ddof=1))
    return mean - SPREADS * spread, mean + SPREADS * spread


def flagged(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of verdicts that flag a model, a row for each dataset, detector, number of images, reference and group.

    A verdict is never judged by thresholds from one on the same sample of images of the same dataset.

    Returns:
        ``reference``: the dataset whose honest models give the thresholds; ``references``:
        their number. ``group``: ``honest, held out``, each model judged by the thresholds from the other ones (by those
        of another dataset from all of them); ``honest, plain`` and so on, honest models of another recipe; ``vicious``;
        ``vicious, linear evasion 1``, ``vicious, shuffled`` and so on, those of adaptive servers. ``models``: their
        number; ``verdicts``: on them; ``failed``: those without a score, which count as not flagged. ``share``: the
        mean of each model's share above the upper threshold; ``outside``: the same above it or below the lower one;
        both are NaN where no verdict has a score. Without two verdicts to take thresholds from there is no row.

    Args:
        scores: rows as written by ``evaluate_defense``, of several models.
    """
    blocks = named(scores).groupby(["detector", "n_user"], sort=False)
    return FLAGGED.frame(
        {"detector": detector, "n_user": n, **row}
        for (detector, n), block in blocks
        for row in _rows(block[["dataset", "model", "group", "seed", "draw", "score"]].to_records(index=False))
    )


def _by(column: str, verdicts: Verdicts) -> dict[Any, Verdicts]:
    """Those with each value of a column, in the order in which these come."""
    return {value: verdicts[verdicts[column] == value] for value in dict.fromkeys(verdicts[column])}


def _rows(verdicts: Verdicts) -> Iterator[dict[str, object]]:
    """The rows of one detector and number of user images."""
    honest = _by("dataset", verdicts[(verdicts["group"] == HONEST) & ~np.isnan(verdicts["score"])])
    for dataset, block in _by("dataset", verdicts).items():
        groups = {group: list(_by("model", each).values()) for group, each in _by("group", block).items()}
        for reference, there in honest.items():
            for group, models in groups.items():
                found = _shares(models, there, own=dataset == reference, held_out=group == HONEST)
                if found:
                    yield {
                        **{"dataset": dataset, "reference": reference, "references": len(set(there["seed"]))},
                        **{"group": HELD_OUT if group == HONEST else group, **found},
                    }


def _shares(models: list[Verdicts], honest: Verdicts, *, own: bool, held_out: bool) -> dict[str, object]:
    """What thresholds flag of the verdicts of one group; empty where there are none to take."""
    found = (np.array(list(_outcomes(model, honest, own, held_out)), bool).reshape(-1, 3) for model in models)
    judged = [outcomes for outcomes in found if len(outcomes)]
    if not judged:
        return {}
    failed = np.concatenate(judged)[:, 2]
    shares = [outcomes[:, :2].mean(0) for outcomes in judged]
    above, outside = (np.nan, np.nan) if failed.all() else np.mean(shares, axis=0)
    counts = {"models": len(judged), "verdicts": len(failed), "failed": int(failed.sum())}
    return counts | {"share": float(above), "outside": float(outside)}


def _outcomes(model: Verdicts, honest: Verdicts, own: bool, held_out: bool) -> Iterator[tuple[bool, bool, bool]]:
    """Whether each verdict on a model lies above the upper threshold, or outside of both, or has no score."""
    for seed, draw, score in model[["seed", "draw", "score"]].tolist():
        apart = (honest["draw"] != draw) if own else np.ones(len(honest), bool)
        if own and held_out:
            apart &= honest["seed"] != seed
        references = honest["score"][apart]
        if len(references) > 1:
            low, high = limits(references)
            yield score > high, score > high or score < low, np.isnan(score)
