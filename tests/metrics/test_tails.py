"""The images that fare worst, against plain numpy."""

from typing import Any

import numpy as np
import pytest

from vicious.metrics.tails import mean_of_largest, percentile99
from vicious.system.errors import MetricError


@pytest.mark.parametrize("n", [1, 2, 100, 101, 999])
def test_tails_are_those_of_the_sorted_values(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n).astype(np.float32)
    ordered, count = np.sort(values.astype(float)), -(-n // 100)
    assert mean_of_largest(values) == pytest.approx(ordered[n - count :].mean())
    assert percentile99(values) == pytest.approx(np.percentile(ordered, 99))
    assert percentile99(values) <= values.max()


def test_all_alike_are_their_own_tail() -> None:
    assert mean_of_largest(np.full(50, 3.0)) == percentile99(np.full(50, 3.0)) == 3.0


@pytest.mark.parametrize("bad", [np.empty(0), np.array([1.0, np.nan]), np.ones((3, 1)), np.arange(3)])
@pytest.mark.parametrize("tail", [percentile99, mean_of_largest])
def test_what_are_no_values_is_refused(tail: Any, bad: Any) -> None:
    with pytest.raises(MetricError, match="values"):
        tail(bad)
