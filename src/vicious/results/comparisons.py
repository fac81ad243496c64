"""Attacks against the post-hoc attack on the honest model: paired over test images, with seeds as blocks.

Works from what assessments wrote: a JSON summary each, and the Parquet with a row per test image beside it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.results.assessments import MEASURES, Assessment, in_order, read_assessments, same_images
from vicious.system.errors import MetricError
from vicious.system.files import write_csv

COMPARED = (*MEASURES, "identity")
"""Columns of the Parquet that are compared; ``identity`` is R without whitening."""
CELL = ("task", "outputs", "role", "beta_r", "evades", "evasion")
"""What all seeds of one attack that is compared have in common."""
COLUMNS = (
    "dataset",
    *("task", "role", "outputs", "beta_r", "evades", "evasion"),
    *("measure", "difference", "low", "high", "p", "n_images", "seeds"),
    *("failed", "reason"),
)
RESAMPLES = 2000
_LEVEL = 0.95
_CHUNK = 2_000_000
"""Image indices drawn at once."""


class Comparison(NamedTuple):
    """Mean difference, its interval, and the p-value of no difference; NaN where there is none."""

    mean: float
    low: float
    high: float
    p: float


def write_comparisons(json_files: Iterable[Path], out: Path) -> None:
    """Write :func:`compare` of the given summaries as CSV.

    Args:
        json_files: summaries of assessments, of all tasks, models and seeds that are compared.
        out: CSV with :data:`COLUMNS`; its header alone where there is no attack but the post-hoc one.

    Raises:
        DataError, MixedResultsError: see :func:`vicious.results.assessments.read_assessments` and
            :meth:`~vicious.results.assessments.Assessment.images`.
        StorageError: the file cannot be written.
    """
    write_csv(compare(read_assessments(json_files)), out)


def compare(cells: Sequence[Assessment]) -> pd.DataFrame:
    """A row per task, outputs, role, beta_R, detector evaded, weight of the penalty against it and measure: that attack minus the
    post-hoc one on the honest model.

    Tasks come in the order given, then by role, outputs and beta_R. ``difference`` is the mean over images and seeds,
    ``low`` and ``high`` are its 95% interval and ``p`` its two-sided p-value, see :func:`paired_bootstrap`.
    ``seeds`` counts the seeds for which both attacks succeeded, ``failed`` the others, and ``reason`` says why; numbers
    are empty where no seed is left. Accuracy (a share) is empty for autoencoders, which are not asked for labels.

    Raises:
        DataError: see :meth:`Assessment.images`; or two attacks were measured on different test images.
    """
    honest = {
        tuple(one.record[name] for name in ("task", "outputs", "seed")): one
        for one in cells
        if one.record["role"] == "honest" and one.reported
    }
    others: dict[tuple[Any, ...], list[Assessment]] = {}
    for one in cells:
        if one.record["role"] != "honest" and one.reported:
            others.setdefault(tuple(one.record[name] for name in CELL), []).append(one)
    rows: list[dict[str, Any]] = []
    for (task, outputs, *_), seeds in others.items():
        pairs = [
            (honest.get((task, outputs, one.record["seed"])), one)
            for one in sorted(seeds, key=lambda one: one.record["seed"])
        ]
        rows += _rows(pairs)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    ordered = in_order(frame, (one.record["task"] for one in cells), ("role", "outputs", "beta_r", "evades", "evasion"))
    return ordered.astype({"n_images": "Int64"})


def paired_bootstrap(
    differences: Sequence[NDArray[Any]], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float, float, float]:
    """Mean of paired differences, its 95% percentile interval, and the two-sided p-value of a mean of 0.

    A resample draws images with replacement, the same ones for all seeds, since these share the test set (seeds with
    another number of images draw their own), and, where there are at least two, seeds with replacement as blocks. This
    is the bootstrap of crossed effects of Owen, "The pigeonhole bootstrap" (Annals of Applied Statistics 1, 2007),
    which errs on the side of wide intervals where neither images nor seeds but single reconstructions differ.

    The p-value inverts the percentile interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapters 13 and 15): twice the smaller of the shares of resampled means at or below 0 and at or above 0, with 1
    added to both counts so that it is never 0 (Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
    section 4.2). The smallest is 2 / (resamples + 1).

    With few seeds that differ by more than the images tell, both are too optimistic: then the interval of two or three
    seeds is about their range, and p is smallest as soon as all of them have the same sign.

    Args:
        differences: an array (n,) for each seed, a value per test image.
        resamples: number of resamples, at least 1,000.
        seed: of the random numbers; the same seed gives the same result.

    Returns:
        (mean, low, high, p), a :class:`Comparison`; the mean is over all seeds' means over images.

    Raises:
        MetricError: nothing to resample, values that are not finite, or too few resamples.
    """
    columns = [np.asarray(values, dtype=np.float64) for values in differences]
    if any(values.ndim != 1 for values in columns):
        raise MetricError("paired differences must be one array (n,) for each seed")
    return _bootstrap([values[:, None] for values in columns], resamples, seed)[0]


def _bootstrap(differences: Sequence[NDArray[np.float64]], resamples: int, seed: int) -> list[Comparison]:
    """:func:`paired_bootstrap` of several measures at once, on the same resamples: (n, m) for each seed -> m results."""
    if not differences or not all(len(values) for values in differences):
        raise MetricError("there are no paired differences to resample")
    if not all(np.isfinite(values).all() for values in differences):
        raise MetricError("paired differences must be finite")
    if resamples < 1000:
        raise MetricError(f"a bootstrap needs at least 1,000 resamples, got {resamples}")
    generator = np.random.default_rng(seed)
    seeds = len(differences)
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    means = np.concatenate(
        [
            np.einsum("bs,sbm->bm", weights[drawn], _resampled(differences, generator, weights[drawn].shape[0]))
            for drawn in _chunks(resamples, max(len(values) for values in differences))
        ]
    )
    mean = np.mean([values.mean(0) for values in differences], axis=0)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    below, above = ((np.sum(sided, axis=0) + 1) / (resamples + 1) for sided in (means <= 0, means >= 0))
    p = np.minimum(1.0, 2 * np.minimum(below, above))
    return [Comparison(*(float(part[index]) for part in (mean, low, high, p))) for index in range(len(mean))]


def _resampled(
    differences: Sequence[NDArray[np.float64]], generator: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Means over resampled images for each seed, (seeds, resamples, m); one matrix product for each seed."""
    counts: dict[int, NDArray[np.float64]] = {}
    shared = len({len(values) for values in differences}) == 1
    means = []
    for index, values in enumerate(differences):
        n = len(values)
        key = n if shared else index
        if key not in counts:
            counts[key] = _counts(generator, resamples, n)
        means.append(counts[key] @ values / n)
    return np.stack(means)


def _counts(generator: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """How often each of n images is drawn in each resample of n, (resamples, n)."""
    drawn = generator.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def _chunks(resamples: int, n: int) -> Iterator[slice]:
    step = max(1, _CHUNK // n)
    for start in range(0, resamples, step):
        yield slice(start, min(start + step, resamples))


def _rows(pairs: Sequence[tuple[Assessment | None, Assessment]]) -> list[dict[str, Any]]:
    """The rows of one attack: a pair of the honest model's and this attack for each seed."""
    record = pairs[0][1].record
    measures = [name for name in COMPARED if not (name == "accuracy" and record["role"] == "autoencoder")]
    reasons = {one.record["seed"]: _reason(honest, one) for honest, one in pairs}
    differences = [
        _differences(honest, one, measures)
        for honest, one in pairs
        if honest is not None and not reasons[one.record["seed"]]
    ]
    results = dict(zip(measures, _bootstrap(differences, RESAMPLES, 0), strict=True)) if differences else {}
    shared = {
        **{name: record[name] for name in ("dataset", *CELL)},
        "n_images": len(differences[0]) if differences else None,
        "seeds": len(differences),
        "failed": len(pairs) - len(differences),
        "reason": "; ".join(f"seed {seed}: {reason}" for seed, reason in reasons.items() if reason),
    }
    rows = []
    for name in COMPARED:
        mean, low, high, p = results.get(name, Comparison(*[math.nan] * 4))
        rows.append(shared | {"measure": name, "difference": mean, "low": low, "high": high, "p": p})
    return rows


def _reason(honest: Assessment | None, other: Assessment) -> str:
    """Why a seed cannot be compared; empty where it can."""
    if honest is None:
        return "there is no post-hoc attack on the honest model"
    told = [
        f"{name}: {one.record['reason'] or 'failed'}"
        for name, one in (("honest", honest), (other.record["role"], other))
        if not one.ok
    ]
    return ", ".join(told)


def _differences(honest: Assessment, other: Assessment, measures: Sequence[str]) -> NDArray[np.float64]:
    """That attack minus the honest model's, for each test image and measure, (n, m)."""
    one, two = (side.images(["image", *measures]) for side in (honest, other))
    same_images([(honest, one), (other, two)])
    return (two[list(measures)] - one[list(measures)]).to_numpy()
