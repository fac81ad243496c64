"""Intervals of means and other statistics by resampling."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.metrics.checks import check_axes, check_values

RESAMPLES = 1000
_LEVEL = 0.95
_ENDS = (1 - _LEVEL) / 2, (1 + _LEVEL) / 2


def interval(values: NDArray[Any], statistic: Callable[[NDArray[Any]], Any] = np.mean) -> tuple[float, float]:
    """95% percentile bootstrap interval of a statistic of ``values`` (n,), by default the mean, over images; always the
    same.

    Raises:
        MetricError: no values, another shape, or values that are not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    check_axes(values, "values", n=None)
    check_values(values, "values")
    generator = np.random.default_rng(0)
    found = [statistic(values[generator.integers(len(values), size=len(values))]) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, _ENDS)
    return float(low), float(high)
