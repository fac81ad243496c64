"""Bootstrap intervals of means, against theory."""

from typing import Any

import numpy as np
import pytest

from vicious.metrics.bootstrap import interval
from vicious.system.errors import MetricError


def test_bootstrap_interval_covers_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1000)
    low, high = interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * 2 / np.sqrt(1000), rel=0.15)
    assert low < values.mean() < high
    assert interval(values) == (low, high)
    assert interval(np.ones(5)) == (1.0, 1.0)


def test_a_statistic_other_than_the_mean_has_its_own_interval() -> None:
    values = np.random.default_rng(0).exponential(size=1000)
    low, high = interval(values, np.median)
    assert low < np.median(values) < high < values.mean()
    assert (high - low) / 2 == pytest.approx(1.96 / np.sqrt(1000), rel=0.25), "1 / (2 f sqrt(n)), f = 1/2 at the median"


@pytest.mark.parametrize("bad", [np.empty(0), np.array([1.0, np.nan]), np.ones((3, 1)), np.float64(1.0)])
def test_an_interval_of_what_are_no_values_is_refused(bad: Any) -> None:
    with pytest.raises(MetricError, match="values"):
        interval(bad)
