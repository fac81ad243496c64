"""Heights above honest verdicts, and their axis."""

import pandas as pd
import pytest

from vicious.report import heights
from vicious.report.heights import Ruler


def test_heights_are_in_standard_deviations_of_honest_verdicts(servers):
    scores = servers.detection(("mnist",), seeds=2, draws=2, numbers=(50,), detectors=("entropy",))
    honest = scores.loc[(scores["role"] == "honest") & (scores["recipe"] == ""), "score"]
    found = Ruler.of(honest).heights(scores)
    assert len(found) == 11
    folded = scores.loc[scores["hidden"] == "folded", "score"]
    (height,) = found.xs("folded", level="hidden")
    assert height == pytest.approx((folded.mean() - honest.mean()) / honest.std())


def test_a_model_without_a_score_has_no_height(servers):
    failed = [("mnist", "entropy", "vicious, folded", 0)]
    scores = servers.detection(("mnist",), numbers=(50,), detectors=("entropy",), failed=failed)
    found = Ruler(0.0, 1.0).heights(scores)
    assert list(found.index[found.isna()].get_level_values("hidden")) == ["folded"]


@pytest.mark.parametrize("verdicts", [[], [0.3], [0.3, float("nan")], [0.1, 0.1, 0.1]])
def test_verdicts_that_do_not_vary_measure_nothing(verdicts):
    assert Ruler.of(pd.Series(verdicts, dtype=float)) is None


def test_axes_of_several_orders_are_told():
    told = heights.axis_words([("mnist", [1.0, -40.0]), ("mnist", [50.0]), ("cifar10", [29.0]), ("celeba", [])])
    assert told == " Vertical axis logarithmic beyond 3: MNIST."
