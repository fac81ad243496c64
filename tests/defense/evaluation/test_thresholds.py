"""Thresholds from honest models: computed by hand, held-out models apart, other recipes and datasets judged by them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from vicious.defense.evaluation.thresholds import HELD_OUT, SPREADS, flagged, limits
from vicious.results.schema import FLAGGED


def scores(rows: Any) -> pd.DataFrame:
    """Rows (dataset, role, recipe, seed, scores of the draws)."""
    return pd.DataFrame(
        [
            {"dataset": dataset, "task": dataset, "role": role, "outputs": "logits" if role == "vicious" else ""}
            | {
                "beta_r": float(role == "vicious"),
                "recipe": recipe,
                "evades": "",
                "evasion": 0.0,
                "hidden": "",
                "seed": seed,
                "detector": "d",
            }
            | {"n_user": 50, "draw": draw, "score": value, "status": "ok", "reason": ""}
            for dataset, role, recipe, seed, values in rows
            for draw, value in enumerate(values)
        ]
    )


HONEST = [("mnist", "honest", "", seed, tuple(0.1 + 0.01 * seed + np.array([0, 0.001, 0.002]))) for seed in range(4)]


def test_the_thresholds_are_three_deviations_from_the_mean() -> None:
    values = np.array([1.0, 2.0, 4.0])
    width = SPREADS * np.std(values, ddof=1)
    assert limits(values) == pytest.approx((np.mean(values) - width, np.mean(values) + width))


def test_a_model_that_tells_too_little_is_odd_but_not_vicious() -> None:
    quiet = [("mnist", "vicious", "", 0, (-0.5, 0.1)), ("mnist", "vicious", "", 1, (0.6, -0.7))]
    found: Any = flagged(scores([*HONEST, *quiet])).set_index("group")
    assert found.loc["vicious", ["share", "outside"]].tolist() == [0.25, 0.75]
    assert found.loc[HELD_OUT, ["share", "outside"]].tolist() == [0, 0]


def test_shares_are_over_verdicts_of_each_model() -> None:
    vicious = [("mnist", "vicious", "", 0, (0.5, 0.1)), ("mnist", "vicious", "", 1, (0.6, 0.7))]
    found = flagged(scores([*HONEST, *vicious]))
    assert tuple(found.columns) == FLAGGED.columns
    by_group: Any = found.set_index("group")
    assert by_group.loc["vicious", ["models", "references", "share"]].tolist() == [2, 4, 0.75]
    assert by_group.loc[HELD_OUT, "share"] == 0


def test_a_held_out_model_does_not_set_its_own_threshold() -> None:
    odd = ("mnist", "honest", "", 9, (5.0, 5.1))
    found = flagged(scores([*HONEST, odd])).set_index("group")
    # The odd one lies far above the others' threshold; with its own scores in it, it would not.
    assert found.loc[HELD_OUT, "share"] == pytest.approx(1 / 5)
    pooled = np.concatenate([np.array(row[-1]) for row in [*HONEST, odd]])
    assert limits(pooled)[1] > 5.1


def test_other_recipes_are_groups_of_their_own_and_never_references() -> None:
    found = flagged(
        scores([*HONEST, ("mnist", "honest", "plain", 0, (9.0, 9.0)), ("mnist", "honest", "wider", 0, (0.1, 0.1))])
    )
    by_group = found.set_index("group")
    assert by_group.loc["honest, plain", "share"] == 1
    assert by_group.loc["honest, wider", "share"] == 0
    assert set(by_group["references"]) == {4}


def test_thresholds_carry_over_between_datasets() -> None:
    others = [("cifar10", "honest", "", seed, (0.5, 0.52)) for seed in range(3)]
    found = flagged(scores([*HONEST, *others])).set_index(["reference", "dataset"])
    assert found.loc[("mnist", "cifar10"), "share"] == 1
    assert found.loc[("cifar10", "mnist"), "share"] == 0
    assert found.loc[("mnist", "cifar10"), "models"] == 3


def test_one_honest_model_holds_nothing_out_and_none_gives_no_threshold() -> None:
    found = flagged(scores([HONEST[0], ("mnist", "vicious", "", 0, (0.9, 0.9))]))
    assert found["group"].tolist() == ["vicious"]
    one_sample = [(*model[:-1], model[-1][:1]) for model in HONEST]
    assert flagged(scores(one_sample)).empty, "the only references are verdicts on the same images"
    assert flagged(scores([("mnist", "vicious", "", 0, (0.9, 0.9))])).empty


def test_a_verdict_is_not_judged_by_one_on_the_same_images() -> None:
    # The second sample of images looks odd under every model: a threshold from the other samples calls it vicious.
    honest = [("mnist", "honest", "", seed, (0.1 + 0.01 * seed, 0.9, 0.1, 0.12)) for seed in range(4)]
    assert flagged(scores(honest)).set_index("group").loc[HELD_OUT, "share"] == pytest.approx(1 / 4)


def test_failed_verdicts_call_nothing_and_are_counted() -> None:
    frame = scores(
        [*HONEST, ("mnist", "vicious", "", 0, (0.9, np.nan)), ("mnist", "honest", "plain", 0, (np.nan,) * 3)]
    )
    found: Any = flagged(frame).set_index("group")
    assert found.loc["vicious", ["verdicts", "failed", "share", "outside"]].tolist() == [2, 1, 0.5, 0.5]
    assert found.loc["honest, plain", ["verdicts", "failed"]].tolist() == [3, 3]
    assert np.isnan(found.loc["honest, plain", "share"])


def test_a_score_that_is_missing_is_a_failed_one_whatever_the_columns_type() -> None:
    frame = scores([*HONEST, ("mnist", "vicious", "", 0, (0.9, np.nan))])
    objects = frame.assign(score=frame["score"].astype(object).where(frame["score"].notna(), None))
    assert objects["score"].dtype == object
    pd.testing.assert_frame_equal(flagged(objects), flagged(frame))
