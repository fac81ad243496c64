"""Thresholds from honest models alone, since a user has no vicious example: what they flag, and how they carry over.

A verdict is one sample of user images. The threshold lies :data:`SPREADS` standard deviations above the mean score of
the verdicts on honest reference models, those trained in the study's own way. A second one lies as far below: a model
that gives away less than honest ones do may hide something.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.evaluation.groups import HONEST, MODEL, names
from vicious.results.schema import FLAGGED

SPREADS = 3.0
HELD_OUT = "honest, held out"


Limits = tuple[float, float]
"""Scores below the first and above the second are odd; above the second, flagged."""


def limits(scores: NDArray[np.float64]) -> Limits:
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
    model = scores.groupby(list(MODEL), dropna=False, sort=False).ngroup()
    named = scores.assign(group=names(scores), model=model, score=scores["score"].astype(np.float64))
    rows = [row for _, block in named.groupby(["detector", "n_user"], sort=False) for row in _rows(block)]
    return FLAGGED.frame(rows)


@dataclass(frozen=True)
class _Verdicts:
    """Verdicts of one detector with one number of user images, (m,) each: the model's dataset, number, group and seed,
    the sample of images, the score."""

    dataset: NDArray[Any]
    model: NDArray[Any]
    group: NDArray[Any]
    seed: NDArray[Any]
    draw: NDArray[Any]
    score: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> "_Verdicts":
        """Some of them."""
        return _Verdicts(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def by(self, column: Literal["dataset", "model", "group"]) -> dict[Any, "_Verdicts"]:
        """Those of each dataset, model or group, in the order in which these come."""
        values = getattr(self, column)
        return {value: self.where(values == value) for value in dict.fromkeys(values)}


def _rows(scores: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The rows of one detector and number of user images."""
    named = {"detector": scores["detector"].iloc[0], "n_user": scores["n_user"].iloc[0]}
    blocks = _Verdicts(*(scores[field.name].to_numpy() for field in fields(_Verdicts))).by("dataset")
    honest = {name: block.where((block.group == HONEST) & ~np.isnan(block.score)) for name, block in blocks.items()}
    for dataset, block in blocks.items():
        groups = {group: list(verdicts.by("model").values()) for group, verdicts in block.by("group").items()}
        for reference, there in honest.items():
            for group, models in groups.items():
                found = _shares(models, there, own=dataset == reference, held_out=group == HONEST)
                if found:
                    yield {
                        **{"dataset": dataset, **named, "reference": reference, "references": len(set(there.seed))},
                        **{"group": HELD_OUT if group == HONEST else group, **found},
                    }


def _shares(models: list[_Verdicts], honest: _Verdicts, *, own: bool, held_out: bool) -> dict[str, object]:
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


def _outcomes(model: _Verdicts, honest: _Verdicts, own: bool, held_out: bool) -> Iterator[tuple[bool, bool, bool]]:
    """Whether each verdict on a model lies above the upper threshold, or outside of both, and whether it has no
    score."""
    for seed, draw, score in zip(model.seed, model.draw, model.score, strict=True):
        apart = (honest.draw != draw) if own else np.ones(len(honest.draw), bool)
        if own and held_out:
            apart &= honest.seed != seed
        references = honest.score[apart]
        if len(references) > 1:
            low, high = limits(references)
            yield score > high, score > high or score < low, np.isnan(score)
