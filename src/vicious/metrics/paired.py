"""Mean differences over models and images, with intervals in which models are the units."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from vicious.system.errors import MetricError

LEVEL = 0.95
POWER = 0.8
"""The probability to show what is there, by which numbers of seeds are told."""
MOST_SEEDS = 200
SMALLEST = 1e-9
"""The smallest p-value."""
Comparison = tuple[float, float, float, float]
"""Mean difference, the ends of its 95% interval, and the p-value of no difference; NaN with a single model."""


def paired_means(differences: Sequence[NDArray[np.float64]]) -> list[Comparison]:
    """Mean of paired differences, its 95% interval, and the two-sided p-value of a mean of 0, of m measures.

    A seed's difference is its mean over test images. Seeds share the test images, so what these have in common does not
    show among seeds. So there are two variances, of the mean over seeds and of that over images, and the interval is
    Howe's for a sum of two means ("Approximate confidence limits on the mean of X + Y", Journal of the American
    Statistical Association 69, 1974): the squares of both Student's t intervals add up. What images and seeds do not
    share counts in both, so it is rather too wide. The p-value is the level at which the interval touches 0. With one
    seed the interval covers images alone, and there is no p-value: another training may differ by more.

    Args:
        differences: an array (n, m) for each seed, a value per test image and measure.

    Returns:
        m results; the mean is over all seeds' means over images.

    Raises:
        MetricError: there are no differences, or they are not finite.
    """
    _check(differences)
    seeds = len(differences)
    each = np.stack([values.mean(0) for values in differences])
    by_images, images = _variance_over_images(differences)
    by_seeds = each.var(0, ddof=1) / seeds if seeds > 1 else np.zeros(each.shape[1])
    found = []
    for mean, *variances in zip(each.mean(0).tolist(), by_seeds.tolist(), by_images.tolist(), strict=True):
        parts = list(zip(variances, (seeds - 1, images - 1), strict=True))
        wide = _half_width(1 - LEVEL, parts)
        found.append((mean, mean - wide, mean + wide, _p(mean, parts) if seeds > 1 else np.nan))
    return found


def seeds_to_show(differences: Sequence[NDArray[np.float64]], effect: float) -> list[int | None]:
    """How many seeds would show a mean difference as large as ``effect``, of m measures.

    That is the smallest number, from 2, with which the interval of :func:`paired_means` leaves out 0 with a probability
    of :data:`POWER`, if the true mean is ``effect`` and seeds and images vary as they do here. The mean is taken as
    normal, and the interval as wide as is expected. More seeds do not help where images alone vary too much.

    Args:
        differences: as of :func:`paired_means`.
        effect: above 0, in the measures' units.

    Returns:
        m numbers; None with a single seed, whose variance is not known, or where :data:`MOST_SEEDS` are too few.

    Raises:
        MetricError: as :func:`paired_means`, or ``effect`` is not above 0.
    """
    _check(differences)
    if not effect > 0:
        raise MetricError(f"an effect to be shown must be above 0, got {effect}")
    if len(differences) < 2:
        return [None] * differences[0].shape[1]
    of_seed = np.stack([values.mean(0) for values in differences]).var(0, ddof=1)
    by_images, images = _variance_over_images(differences)
    return [_enough(effect, *both, images) for both in zip(of_seed.tolist(), by_images.tolist(), strict=True)]


def _enough(effect: float, of_seed: float, by_images: float, images: int) -> int | None:
    for seeds in range(2, MOST_SEEDS + 1):
        variance = of_seed / seeds + by_images
        wide = _half_width(1 - LEVEL, [(of_seed / seeds, seeds - 1), (by_images, images - 1)])
        if effect - wide >= sqrt(variance) * float(stats.norm.ppf(POWER)):
            return seeds
    return None


def _check(differences: Sequence[NDArray[np.float64]]) -> None:
    if not differences or not all(len(values) for values in differences):
        raise MetricError("there are no paired differences")
    if not all(values.ndim == 2 and np.isfinite(values).all() for values in differences):
        raise MetricError("paired differences must be finite, (n, m) for each seed")


def _half_width(tails: float, parts: Sequence[tuple[float, int]]) -> float:
    """Of the interval outside of which so much of the probability lies, from variances and degrees of freedom."""
    return sqrt(sum(variance * float(stats.t.isf(tails / 2, freedom)) ** 2 for variance, freedom in parts if variance))


def _p(mean: float, parts: Sequence[tuple[float, int]]) -> float:
    """The tails of the interval that touches 0, not below :data:`SMALLEST`."""
    if not any(variance for variance, _ in parts):
        return float(mean == 0)
    if _half_width(SMALLEST, parts) <= abs(mean):
        return SMALLEST
    return float(brentq(lambda tails: _half_width(tails, parts) - abs(mean), SMALLEST, 1.0))


def _variance_over_images(differences: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], int]:
    """Of the mean over all seeds, (m,), from images alone, and how many images there are; 0 with a single one."""
    if len(set(map(len, differences))) == 1:
        shared = np.mean(differences, axis=0)
        n = len(shared)
        return (shared.var(0, ddof=1) / n if n > 1 else np.zeros(shared.shape[1])), n
    own = [values.var(0, ddof=1) / len(values) if len(values) > 1 else 0 * values[0] for values in differences]
    return np.sum(own, axis=0) / len(own) ** 2, min(map(len, differences))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values (k,) of k comparisons, adjusted so that one wrong call among all has the chance that each one states:
    Holm, "A simple sequentially rejective multiple test procedure" (Scandinavian Journal of Statistics 6, 1979).

    NaN stays NaN and is no comparison.

    Raises:
        MetricError: a value outside [0, 1], or another shape.
    """
    values = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if values.ndim != 1 or ((values[known] < 0) | (values[known] > 1)).any():
        raise MetricError("p-values must be numbers from 0 to 1, (k,)")
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = np.full_like(values, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return adjusted
