"""z-scores by honest verdicts, and their axis."""

from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from vicious.report import z_scores
from vicious.report.z_scores import Ruler


def test_z_scores_are_in_standard_deviations_of_honest_verdicts(servers: ModuleType) -> None:
    scores = servers.detection(("mnist",), seeds=2, draws=2, numbers=(50,), detectors=("entropy",))
    honest = scores.loc[(scores["role"] == "honest") & (scores["recipe"] == ""), "score"]
    ruler = Ruler.of(honest)
    assert ruler is not None
    found = ruler.z_scores(scores)
    assert len(found) == 11
    folded = scores.loc[scores["hidden"] == "folded", "score"]
    (z_score,) = found.xs("folded", level="hidden")
    assert z_score == pytest.approx((folded.mean() - honest.mean()) / honest.std())


def test_a_model_without_a_score_has_no_z_score(servers: ModuleType) -> None:
    failed = [("mnist", "entropy", "vicious, folded", 0)]
    scores = servers.detection(("mnist",), numbers=(50,), detectors=("entropy",), failed=failed)
    found = Ruler(0.0, 1.0).z_scores(scores)
    assert list(found.index[found.isna()].get_level_values("hidden")) == ["folded"]


@pytest.mark.parametrize("verdicts", [[], [0.3], [0.3, float("nan")], [0.1, 0.1, 0.1]])
def test_verdicts_that_do_not_vary_measure_nothing(verdicts: Any) -> None:
    assert Ruler.of(pd.Series(verdicts, dtype=float)) is None


def test_axes_of_several_orders_are_told() -> None:
    told = z_scores.axis_words([("mnist", [1.0, -40.0]), ("mnist", [50.0]), ("cifar10", [29.0]), ("celeba", [])])
    assert told == "Vertical axis logarithmic beyond 3: MNIST."
