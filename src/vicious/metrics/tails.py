"""The images that fare worst: statistics of the largest values, where a mean over images hides them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.metrics.checks import check_axes, check_values

PART = 100
"""One image of so many is among the worst."""


def percentile99(values: NDArray[Any]) -> float:
    """The 99th percentile of values (n,), interpolated linearly.

    Raises:
        MetricError: no values, another shape, or values that are not finite.
    """
    return float(np.quantile(_checked(values), 1 - 1 / PART))


def mean_of_largest(values: NDArray[Any]) -> float:
    """Mean of the largest 1% of values (n,), rounded up to a whole number of them; raises as :func:`percentile99`."""
    sound = _checked(values)
    count = -(-len(sound) // PART)
    return float(np.partition(sound, -count)[-count:].mean())


def _checked(values: NDArray[Any]) -> NDArray[np.float64]:
    check_axes(values, "values", n=None)
    check_values(values, "values")
    return np.asarray(values, dtype=np.float64)
