"""How well scores separate models, against scikit-learn and by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from vicious.defense.evaluation import groups
from vicious.defense.evaluation.separation import auroc, auroc_interval, separation, tpr_at_fpr


def test_auroc_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    honest, vicious = generator.normal(size=20).round(1), generator.normal(0.5, 1, 30).round(1)
    expected = roc_auc_score([0] * 20 + [1] * 30, np.concatenate([honest, vicious]))
    assert auroc(honest, vicious) == pytest.approx(expected)


def test_tpr_at_fpr_flags_at_most_that_share_of_honest_models() -> None:
    honest = np.arange(100.0)
    assert tpr_at_fpr(honest, np.array([93.0, 94.0, 95.0, 200.0])) == 0.5
    assert tpr_at_fpr(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == 0.5
    assert tpr_at_fpr(np.zeros(3), np.zeros(3)) == 0.0


def test_separation_is_over_models_not_draws(scores: Any) -> None:
    row = separation(scores([0.1, 0.2, 0.3], [0.25, 0.5, 0.6])).iloc[0]
    assert (row["honest_models"], row["vicious_models"]) == (3, 3)
    assert row["auroc"] == pytest.approx(8 / 9)
    assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]


@pytest.mark.parametrize("models", [5, 10])
@pytest.mark.parametrize("area", [0.5, 0.8, 0.95, 0.99])
def test_intervals_of_an_auroc_cover(models: int, area: float) -> None:
    generator, shift = np.random.default_rng(models), np.sqrt(2) * stats.norm.ppf(area)
    runs = [
        auroc_interval(auroc(generator.normal(size=models), generator.normal(shift, 1, models)), models, models)
        for _ in range(600)
    ]
    assert np.mean([low <= area <= high for low, high in runs]) > 0.92
    assert all(0 <= low < high <= 1 for low, high in runs)


def test_an_interval_never_shrinks_to_a_point_and_narrows_with_models() -> None:
    assert auroc_interval(1.0, 5, 5)[0] < 0.8
    assert auroc_interval(0.0, 5, 5)[1] > 0.2
    widths = [np.diff(auroc_interval(0.9, models, models))[0] for models in (3, 5, 10, 100)]
    assert widths == sorted(widths, reverse=True)
    low, high = auroc_interval(0.8, 4, 9)
    assert (1 - high, 1 - low) == pytest.approx(auroc_interval(0.2, 4, 9))


@pytest.mark.parametrize(("area", "honest", "vicious"), [(1.1, 3, 3), (float("nan"), 3, 3), (0.5, 0, 3)])
def test_what_is_no_auroc_has_no_interval(area: float, honest: int, vicious: int) -> None:
    with pytest.raises(ValueError, match="no AUROC"):
        auroc_interval(area, honest, vicious)


def test_one_model_of_a_kind_has_no_interval_and_none_no_auroc(scores: Any) -> None:
    assert np.isnan(separation(scores([0.1], [0.5])).iloc[0]["auroc_low"])
    assert np.isnan(separation(scores([0.1, 0.2], [])).iloc[0]["auroc"])


def test_adaptive_servers_and_other_recipes_stand_apart(scores: Any) -> None:
    frame = scores([0.1, 0.2, 0.3], [0.25, 0.5, 0.6])
    odd = [
        frame.loc[frame["role"] == "vicious"].assign(evades="linear_decodability", evasion=0.3, score=0.15),
        frame.loc[frame["role"] == "vicious"].assign(hidden="shuffled", score=9.0),
        frame.loc[frame["role"] == "honest"].assign(recipe="plain", score=9.0),
    ]
    found = separation(pd.concat([frame, *odd], ignore_index=True)).set_index("server")
    assert found.index.tolist() == ["vicious", "vicious, linear evasion 0.3", "vicious, shuffled"]
    assert found["auroc"].tolist() == pytest.approx([8 / 9, 1 / 3, 1.0])
    assert found["honest_models"].eq(3).all()


def test_vicious_models_of_several_weights_are_taken_together_and_by_weight(scores: Any) -> None:
    frame = scores([0.1, 0.2], [0.15, 0.6])
    strong = frame["role"].eq("vicious") & frame["seed"].eq(1)
    frame.loc[strong, "beta_r"] = 3.0
    found = separation(frame).set_index("server")
    weak = frame.loc[frame["role"].eq("vicious") & ~strong, "beta_r"].iloc[0]
    assert found.index.tolist() == ["vicious", f"vicious, beta_R {weak:g}", "vicious, beta_R 3"]
    assert found["auroc"].tolist() == pytest.approx([0.75, 0.5, 1.0])
    assert found["vicious_models"].tolist() == [2, 1, 1]


def test_each_way_to_make_a_model_has_a_name(scores: Any) -> None:
    frame = scores([0.1], [0.5], draws=1).loc[[0, 1, 1, 1, 0]].reset_index(drop=True)
    frame["evasion"] = [0.0, 0.0, 0.5, 0.0, 0.0]
    frame["evades"] = ["", "", "linear_decodability", "", ""]
    frame["hidden"] = ["", "", "", "folded", ""]
    frame["recipe"] = ["", "", "", "", "wider"]
    assert groups.names(frame).tolist() == [
        "honest", "vicious", "vicious, linear evasion 0.5", "vicious, folded", "honest, wider",
    ]  # fmt: skip
    assert groups.standard(frame).tolist() == [True, True, False, False, False]
