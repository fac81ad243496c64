"""One number that speaks for or against a claim, with its interval over models."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt

import numpy as np
import pandas as pd
from scipy import stats

from vicious.results.schema import BEST, reported
from vicious.study.grid import task_title

LEVEL = 0.95


@dataclass(frozen=True)
class Finding:
    """A measured number.

    Attributes:
        name: tells the findings of a claim apart: ``mnist/logits/beta1/psnr``.
        what: the same for readers: ``MNIST, logits, beta_R = 1, PSNR``.
        unit: of the number; "" for none.
        value: NaN where nothing succeeded.
        low, high: the ends of its 95% interval over models; NaN with a single model.
        models: how many models of each kind are behind it.
    """

    name: str
    what: str
    unit: str
    value: float
    low: float
    high: float
    models: int

    @property
    def known(self) -> bool:
        """Whether it has an interval."""
        return isfinite(self.value) and isfinite(self.low) and isfinite(self.high)

    @property
    def tolerance(self) -> float:
        """How far the same number of a study that is made again may be from it: half the width of its interval, times
        the square root of 2, since both vary. NaN without an interval."""
        return sqrt(2) * max(self.high - self.value, self.value - self.low) if self.known else nan


def over_models(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% interval of a number over models: Student's t, with a model as the unit.

    Values that are not finite are those of models that failed, and left out; with one value the interval is NaN, with
    none all is.
    """
    good = np.asarray([value for value in values if isfinite(value)], dtype=np.float64)
    if len(good) < 2:
        return (float(good.mean()) if len(good) else nan), nan, nan
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(good) - 1)) * float(good.std(ddof=1)) / sqrt(len(good))
    return float(good.mean()), float(good.mean()) - half, float(good.mean()) + half


def between_models(these: Sequence[float], those: Sequence[float]) -> tuple[float, float, float]:
    """The mean of these minus that of those, and its 95% interval over models, which are not paired: Welch, "The
    generalization of Student's problem when several different population variances are involved" (Biometrika 34, 1947).
    """
    one, other = ([value for value in values if isfinite(value)] for values in (these, those))
    if min(len(one), len(other)) < 2:
        return (float(np.mean(one) - np.mean(other)) if one and other else nan), nan, nan
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (one, other)]
    difference, total = float(np.mean(one) - np.mean(other)), sum(parts)
    if total == 0:
        return difference, difference, difference
    freedom = total**2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, (one, other), strict=True))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * sqrt(total)
    return difference, difference - half, difference + half


def reported_rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of a summary: those of the attack that is reported, the best where there is one, on models that no server
    changed to evade a detector."""
    attack = reported(set(summary["attack"]))
    plain = (summary["evasion"] == 0) & (summary["means"] == "")
    return summary.loc[plain & (summary["attack"] == summary["role"].map(attack))]


def most_against_fewest(summary: pd.DataFrame, counted: str) -> list[Finding]:
    """For each dataset and kind of outputs, what the reported attack reads from vicious models with the most outputs
    minus what it reads from those with the fewest: PSNR in dB. ``counted`` is what there are K of, for readers."""
    rows = reported_rows(summary)
    found = []
    for (dataset, outputs), group in rows.loc[rows["role"] == "vicious"].groupby(["dataset", "outputs"], sort=False):
        fewest, most = int(group["k"].min()), int(group["k"].max())
        if fewest < most:
            few, many = (group.loc[group["k"] == k, "psnr"].tolist() for k in (fewest, most))
            what = f"{task_title(str(dataset))}, {outputs}, {most} against {fewest} {counted}"
            measured = between_models(many, few)
            found.append(Finding(f"{dataset}/{outputs}", what, "dB", *measured, min(len(few), len(many))))
    return found


def compared(comparisons: pd.DataFrame, measure: str, unit: str, scale: float = 1.0) -> list[Finding]:
    """A finding for each task, kind of outputs and beta_R: what vicious models have more of a measure than honest ones,
    as comparisons say, by the best attack where there is one."""
    attack = BEST if BEST in set(comparisons["attack"]) else "joint"
    rows = comparisons.loc[
        (comparisons["role"] == "vicious")
        & (comparisons["attack"] == attack)
        & (comparisons["measure"] == measure)
        & (comparisons["evasion"] == 0)
        & (comparisons["trained_for"] == comparisons["outputs"])
    ]
    found = []
    for row in rows.to_dict("records"):
        low, high = (scale * row[end] if row["seeds"] > 1 else nan for end in ("low", "high"))
        name = f"{row['task']}/{row['outputs']}/beta{row['beta_r']:g}"
        what = f"{task_title(row['task'])}, {row['outputs']}, beta_R = {row['beta_r']:g}"
        found.append(Finding(name, what, unit, scale * row["difference"], low, high, int(row["seeds"])))
    return found
