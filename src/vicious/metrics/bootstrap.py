"""Intervals of means by resampling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.metrics.checks import check_axes, check_values
from vicious.system.errors import MetricError

RESAMPLES = 1000
PAIRED_RESAMPLES = 2000
_LEVEL = 0.95
_ENDS = (1 - _LEVEL) / 2, (1 + _LEVEL) / 2
_CHUNK = 2_000_000
"""Image indices drawn at once."""


Comparison = tuple[float, float, float, float]
"""Mean difference, the ends of its interval, and the p-value of no difference."""


def interval(values: NDArray[Any]) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean of ``values`` (n,), over images; always the same.

    Raises:
        MetricError: no values, another shape, or values that are not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    check_axes(values, "values", n=None)
    check_values(values, "values")
    generator = np.random.default_rng(0)
    means = [values[generator.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, _ENDS)
    return float(low), float(high)


def paired_bootstraps(
    differences: Sequence[NDArray[np.float64]], *, resamples: int = PAIRED_RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Mean of paired differences, its 95% percentile interval, and the two-sided p-value of a mean of 0, of m measures.

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
        differences: an array (n, m) for each seed, a value per test image and measure.
        resamples: number of resamples, at least 1,000; the same ones for all measures.
        seed: of the random numbers; the same seed gives the same result.

    Returns:
        m results; the mean is over all seeds' means over images.

    Raises:
        MetricError: nothing to resample, values that are not finite, or too few resamples.
    """
    if not differences or not all(len(values) for values in differences):
        raise MetricError("there are no paired differences to resample")
    if not all(values.ndim == 2 and np.isfinite(values).all() for values in differences):
        raise MetricError("paired differences must be finite, (n, m) for each seed")
    if resamples < 1000:
        raise MetricError(f"a bootstrap needs at least 1,000 resamples, got {resamples}")
    generator = np.random.default_rng(seed)
    seeds = len(differences)
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    step = max(1, _CHUNK // max(map(len, differences)))
    chunks = [weights[start : start + step] for start in range(0, resamples, step)]
    means = np.concatenate(
        [np.einsum("bs,sbm->bm", chunk, _resampled(differences, generator, len(chunk))) for chunk in chunks]
    )
    mean = np.mean([values.mean(0) for values in differences], axis=0)
    low, high = np.quantile(means, _ENDS, axis=0)
    below, above = ((np.sum(sided, axis=0) + 1) / (resamples + 1) for sided in (means <= 0, means >= 0))
    p = np.minimum(1.0, 2 * np.minimum(below, above))
    return list(zip(mean.tolist(), low.tolist(), high.tolist(), p.tolist(), strict=True))


def _resampled(
    differences: Sequence[NDArray[np.float64]], generator: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Means over resampled images for each seed, (seeds, resamples, m); one matrix product for each seed."""
    means: list[NDArray[np.float64]] = []
    shared = len(set(map(len, differences))) == 1
    for values in differences:
        if not means or not shared:
            counts = _counts(generator, resamples, len(values))
        means.append(counts @ values / len(values))
    return np.stack(means)


def _counts(generator: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """How often each of n images is drawn in each resample of n, (resamples, n)."""
    drawn = generator.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
