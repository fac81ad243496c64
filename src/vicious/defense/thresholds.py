"""Thresholds from honest models alone, since a user has no vicious example: what they call vicious, and how they carry over.

A verdict is one sample of user images. The threshold lies :data:`SPREADS` standard deviations above the mean score of the verdicts on
honest reference models, those trained in the study's own way. A second one lies as far below: a model that tells less than
honest ones do may hide something.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.groups import HONEST, names

SPREADS = 3.0
COLUMNS = (
    *("dataset", "detector", "n_user", "reference", "group", "models", "references"),
    *("verdicts", "failed", "share", "outside"),
)
HELD_OUT = "honest, held out"


Limits = tuple[float, float]
"""Scores below the first and above the second are odd; above the second, vicious."""


def limits(scores: NDArray[np.float64]) -> Limits:
    """The two thresholds, from the scores of verdicts on honest models (n,), n at least 2."""
    mean, spread = float(scores.mean()), float(scores.std(ddof=1))
    return mean - SPREADS * spread, mean + SPREADS * spread


def called(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of verdicts that call a model vicious, a row for each dataset, detector, number of images, reference and group.

    Groups: ``honest, held out``, each model by the thresholds from the other ones (with thresholds of another dataset from all of
    them); ``honest, plain`` and so on, honest models of another recipe; ``vicious``; ``vicious, linear evasion 1``, ``vicious, shuffled``
    and so on, those of adaptive servers. ``reference`` is the dataset whose honest models give the thresholds, ``references`` their
    number. A verdict on the same dataset is never judged by one on the same sample of images. ``models`` counts the models,
    ``verdicts`` their verdicts and ``failed`` those without a score, which count as not called; ``share`` is the mean of
    each model's share above the upper threshold, ``outside`` the same for those above it or below the lower one; both are empty where no
    verdict has a score. Without two verdicts to take thresholds from there is no row.

    Args:
        scores: rows as written by ``evaluate_defense``, of several models.
    """
    rows = [row for _, group in scores.groupby(["detector", "n_user"], sort=False) for row in _rows(group)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(scores: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The rows of one detector and number of user images."""
    named = scores.assign(group=names(scores))
    for dataset, here in named.groupby("dataset", sort=False):
        for reference, there in named.groupby("dataset", sort=False):
            honest = there.loc[(there["group"] == HONEST) & there["score"].notna()]
            for group, verdicts in here.groupby("group", sort=False):
                found = _shares(verdicts, honest, own=dataset == reference, held_out=group == HONEST)
                if found:
                    yield {
                        **{"dataset": dataset, "detector": here["detector"].iloc[0], "n_user": here["n_user"].iloc[0]},
                        **{"reference": reference, "references": honest["seed"].nunique()},
                        **{"group": HELD_OUT if group == HONEST else group, **found},
                    }


def _shares(verdicts: pd.DataFrame, honest: pd.DataFrame, *, own: bool, held_out: bool) -> dict[str, object]:
    """What thresholds call of the verdicts of one group; empty where there are none to take."""
    rows = []
    for (_, _, _, seed), model in verdicts.groupby(["outputs", "beta_r", "recipe", "seed"], sort=False):
        for draw, score in zip(model["draw"], model["score"], strict=True):
            apart = (honest["draw"] != draw) if own else np.ones(len(honest), bool)
            if own and held_out:
                apart &= honest["seed"] != seed
            references = honest.loc[apart, "score"].to_numpy()
            if len(references) > 1:
                low, high = limits(references)
                rows.append((model.index[0], score > high, score > high or score < low, np.isnan(score)))
    if not rows:
        return {}
    found = pd.DataFrame(rows, columns=["model", "share", "outside", "failed"])
    means = found.groupby("model")[["share", "outside"]].mean().mean()
    if found["failed"].all():
        means[:] = np.nan
    counts = {"models": found["model"].nunique(), "verdicts": len(found), "failed": int(found["failed"].sum())}
    return counts | {name: float(means[name]) for name in ("share", "outside")}
