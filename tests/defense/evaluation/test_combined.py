"""The combined score: against scikit-learn, and that it never learns from the dataset it judges."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from vicious.defense.evaluation.combined import NAME, PENALTY, combined


def scores(
    datasets: Any = ("mnist", "cifar10", "celeba"), models: int = 6, draws: int = 2, seed: int = 0, gap: float = 1.0
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for dataset in datasets:
        for role, beta in (("honest", 0.0), ("vicious", 1.0)):
            for number in range(models):
                for draw in range(draws):
                    for detector, weight in (("one", 1.0), ("two", 0.0), ("three", -0.5)):
                        value = generator.normal(gap * weight * beta, 0.3)
                        rows.append(
                            {"dataset": dataset, "task": dataset, "role": role, "outputs": "logits" if beta else ""}
                            | {
                                "beta_r": beta,
                                "evades": "",
                                "evasion": 0.0,
                                "hidden": "",
                                "recipe": "",
                                "seed": number,
                                "detector": detector,
                                "n_user": 50,
                                "draw": draw,
                            }
                            | {"score": value, "status": "ok", "reason": ""}
                        )
    return pd.DataFrame(rows)


def test_agrees_with_scikit_learn_on_the_other_datasets() -> None:
    frame = scores()
    found = combined(frame)
    assert (found["detector"] == NAME).all()
    assert len(found) == 3 * 2 * 6 * 2
    keys = ["dataset", "role", "seed", "draw"]
    wide = frame.pivot_table(index=keys, columns="detector", values="score")
    models = wide.loc[wide.index.get_level_values("dataset") != "mnist"].groupby(level=keys[:3]).mean()
    centre, spread = models.mean(), models.std(ddof=0)
    y = models.index.get_level_values("role") == "vicious"
    model = LogisticRegression(C=1 / PENALTY, class_weight="balanced", tol=1e-10).fit((models - centre) / spread, y)
    own = wide.loc["mnist"]
    expected = pd.Series(model.decision_function((own - centre) / spread), index=own.index)
    mine = found.loc[found["dataset"] == "mnist"].set_index(keys[1:])["score"]
    np.testing.assert_allclose(mine.reindex(expected.index), expected, atol=1e-3)


def test_a_datasets_own_models_do_not_change_the_rule_it_is_judged_by() -> None:
    frame = scores()
    own = frame["dataset"] == "mnist"
    turned = frame.assign(
        role=np.where(own, frame["role"].map({"honest": "vicious", "vicious": "honest"}), frame["role"])
    )
    one, two = (combined(each) for each in (frame, turned))
    same = [each.loc[each["dataset"] == "mnist", "score"].sort_values().to_numpy() for each in (one, two)]
    np.testing.assert_allclose(same[0], same[1])
    assert not np.allclose(one.loc[one["dataset"] != "mnist", "score"], two.loc[two["dataset"] != "mnist", "score"])


def test_nothing_to_learn_from_is_told() -> None:
    assert combined(scores(datasets=("mnist",))).empty
    frame = scores(datasets=("mnist", "cifar10"))
    found = combined(frame.loc[(frame["dataset"] != "cifar10") | (frame["role"] == "honest")])
    judged = found.loc[found["dataset"] == "mnist"]
    assert (judged["status"] == "failed").all()
    assert judged["reason"].unique().tolist() == ["other datasets lack honest or vicious models"]
    assert (found.loc[found["dataset"] == "cifar10", "status"] == "ok").all()


def test_a_missing_score_fails_that_draw_alone() -> None:
    frame = scores(datasets=("mnist", "cifar10"))
    frame.loc[0, "score"], frame.loc[0, "status"] = np.nan, "failed"
    found = combined(frame)
    assert (found["status"] == "failed").sum() == 1
    assert found["score"].isna().sum() == 1
    assert found.loc[found["status"] == "failed", "reason"].tolist() == ["a detector has no score"]


def test_a_detector_that_did_not_judge_all_datasets_is_left_out() -> None:
    frame = scores()
    more = frame.loc[(frame["dataset"] == "mnist") & (frame["detector"] == "one")].assign(detector="own", score=9.0)
    pd.testing.assert_frame_equal(combined(pd.concat([frame, more], ignore_index=True)), combined(frame))
    alone = frame.loc[(frame["dataset"] == "mnist") | (frame["detector"] == "one")]
    assert combined(alone).empty, "a single detector is left"


def test_a_detector_that_never_differs_does_no_harm() -> None:
    frame = scores()
    frame.loc[frame["detector"] == "two", "score"] = 3.0
    assert np.isfinite(combined(frame)["score"]).all()


@pytest.mark.parametrize("gap", [1.0, 3.0])
def test_what_separates_elsewhere_separates_here(gap: float) -> None:
    found = combined(scores(gap=gap)).groupby(["dataset", "role", "seed"])["score"].mean()
    for dataset in ("mnist", "cifar10", "celeba"):
        assert found[dataset, "honest"].max() < found[dataset, "vicious"].min()
