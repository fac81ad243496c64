"""Evaluation of detectors over models."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from vicious.defense import groups
from vicious.defense.collect import auroc, collect_detection, failed_verdicts, separation, tpr_at_fpr
from vicious.defense.detector import Detector
from vicious.defense.detectors import BY_NAME
from vicious.defense.evaluate import evaluate_defense, samples
from vicious.study.config import DetectorName
from vicious.training.jobs import train_honest
from vicious.training.loop import Schedule

CPU = torch.device("cpu")
LINEAR = "linear_decodability"


@pytest.fixture
def target(prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train_honest(prepared, tmp_path / "target.safetensors", 10, 1, Schedule(1, 16, 0.002, 0), CPU)
    return tmp_path / "target.safetensors"


def test_a_row_per_draw_and_the_same_bytes_twice(prepared, target, tmp_path):
    outs = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for out in outs:
        evaluate_defense(prepared.folder, target, out, detectors=[LINEAR], user_images=[10, 30], draws=2, device=CPU)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    frame = pd.read_csv(outs[0])
    assert frame[["n_user", "draw"]].to_numpy().tolist() == [[10, 0], [10, 1], [30, 0], [30, 1]]
    assert frame["score"].notna().all()
    assert frame["score"].nunique() == 4


@pytest.mark.parametrize(("n", "draws", "apart"), [(10, 4, 4), (10, 9, 4), (15, 3, 2), (40, 2, 1)])
def test_samples_share_no_images_as_long_as_there_are_enough(n, draws, apart):
    drawn = list(samples(40, n, draws))
    assert [len(set(one)) for one in drawn] == [n] * draws
    for first in range(0, draws, apart):
        together = np.concatenate(drawn[first : first + apart])
        assert len(set(together)) == len(together)
    assert len({tuple(sorted(one)) for one in drawn}) == (draws if n < 40 else 1), "later ones are other samples"
    assert all(map(np.array_equal, samples(40, n, draws), drawn))


@pytest.mark.parametrize(("n", "told"), [(20, False), (21, True), (41, False)])
def test_samples_that_must_share_images_are_told(prepared, target, tmp_path, caplog, n, told):
    out = tmp_path / "a.csv"
    evaluate_defense(prepared.folder, target, out, detectors=["entropy"], user_images=[n], draws=2, device=CPU)
    assert (f"2 samples of {n} share images: there are 40" in caplog.text) == told


def test_more_user_images_than_there_are_is_a_failed_row_not_a_missing_one(prepared, target, tmp_path):
    evaluate_defense(
        prepared.folder, target, tmp_path / "a.csv", detectors=[LINEAR], user_images=[10, 41], draws=1, device=CPU
    )
    frame = pd.read_csv(tmp_path / "a.csv")
    assert frame["status"].tolist() == ["ok", "failed"]
    assert "only 40 images" in frame["reason"][1]


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, torch.linalg.LinAlgError])
def test_a_decomposition_that_fails_is_a_failed_row(prepared, target, tmp_path, monkeypatch, error):
    def fails(_):
        raise error("the singular values did not converge")

    monkeypatch.setitem(BY_NAME, LINEAR, Detector(LINEAR, "outputs", fails))
    out = tmp_path / "a.csv"
    evaluate_defense(prepared.folder, target, out, detectors=[LINEAR], user_images=[10], draws=1, device=CPU)
    (row,) = pd.read_csv(out).itertuples()
    assert (row.status, row.reason) == ("failed", "the singular values did not converge")


def test_every_detector_judges_a_real_model_and_leaves_it_alone(prepared, target, tmp_path):
    before = target.read_bytes()
    names = get_args(DetectorName)
    assert names == tuple(BY_NAME)
    evaluate_defense(
        prepared.folder, target, tmp_path / "a.csv", detectors=names, user_images=[20], draws=1, device=CPU
    )
    frame = pd.read_csv(tmp_path / "a.csv")
    assert frame["detector"].tolist() == list(names)
    assert (frame["status"] == "ok").all()
    assert np.isfinite(frame["score"]).all()
    assert target.read_bytes() == before


def test_auroc_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    honest, vicious = generator.normal(size=20).round(1), generator.normal(0.5, 1, 30).round(1)
    expected = roc_auc_score([0] * 20 + [1] * 30, np.concatenate([honest, vicious]))
    assert auroc(honest, vicious) == pytest.approx(expected)


def test_tpr_at_fpr_calls_at_most_that_share_of_honest_models_vicious():
    honest = np.arange(100.0)
    assert tpr_at_fpr(honest, np.array([93.0, 94.0, 95.0, 200.0])) == 0.5
    assert tpr_at_fpr(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == 0.5
    assert tpr_at_fpr(np.zeros(3), np.zeros(3)) == 0.0


def scores(honest, vicious, draws=3):
    rows = [
        {
            "dataset": "mnist", "role": role, "outputs": "logits" if beta else "", "beta_r": beta, "recipe": "", "evades": "", "evasion": 0.0, "hidden": "", "task": "mnist", "seed": seed,
            "detector": "d", "n_user": 50, "draw": draw, "score": value + 0.01 * (draw - 1), "status": "ok", "reason": "",
        }
        for role, beta, values in (("honest", 0.0, honest), ("vicious", 1.0, vicious))
        for seed, value in enumerate(values)
        for draw in range(draws)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_separation_is_over_models_not_draws():
    row = separation(scores([0.1, 0.2, 0.3], [0.25, 0.5, 0.6])).iloc[0]
    assert (row["honest_models"], row["vicious_models"]) == (3, 3)
    assert row["auroc"] == pytest.approx(8 / 9)
    assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]


def test_one_model_of_a_kind_has_no_interval_and_none_no_auroc():
    assert np.isnan(separation(scores([0.1], [0.5])).iloc[0]["auroc_low"])
    assert np.isnan(separation(scores([0.1, 0.2], [])).iloc[0]["auroc"])


def test_failed_models_are_counted(tmp_path):
    frame = scores([0.1, 0.2], [0.5, 0.6])
    frame.loc[frame["role"].eq("vicious") & frame["seed"].eq(1), ["score", "status"]] = [np.nan, "failed"]
    frame.to_csv(tmp_path / "in.csv", index=False)
    collect_detection([tmp_path / "in.csv"], *(tmp_path / name for name in ("all.csv", "summary.csv", "called.csv")))
    row = pd.read_csv(tmp_path / "summary.csv").iloc[0]
    assert (row["vicious_models"], row["failed"]) == (1, 1)
    assert len(pd.read_csv(tmp_path / "all.csv")) == 12


def test_scores_that_name_no_detector_evaded_are_of_linear_decodability(tmp_path):
    frame = scores([0.1, 0.2], [0.5, 0.6]).drop(columns="evades")
    frame.loc[frame["role"].eq("vicious") & frame["seed"].eq(1), "evasion"] = 0.3
    frame.to_csv(tmp_path / "in.csv", index=False)
    collect_detection([tmp_path / "in.csv"], *(tmp_path / name for name in ("all.csv", "summary.csv", "called.csv")))
    assert pd.read_csv(tmp_path / "summary.csv")["server"].tolist()[:2] == ["vicious", "vicious, linear evasion 0.3"]


def test_adaptive_servers_and_other_recipes_stand_apart():
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


def test_vicious_models_of_several_weights_are_told_together_and_by_weight():
    frame = scores([0.1, 0.2], [0.15, 0.6])
    strong = frame["role"].eq("vicious") & frame["seed"].eq(1)
    frame.loc[strong, "beta_r"] = 3.0
    found = separation(frame).set_index("server")
    weak = frame.loc[frame["role"].eq("vicious") & ~strong, "beta_r"].iloc[0]
    assert found.index.tolist() == ["vicious", f"vicious, beta_R {weak:g}", "vicious, beta_R 3"]
    assert found["auroc"].tolist() == pytest.approx([0.75, 0.5, 1.0])
    assert found["vicious_models"].tolist() == [2, 1, 1]


def test_each_way_a_model_came_about_has_a_name():
    frame = scores([0.1], [0.5], draws=1).loc[[0, 1, 1, 1, 0]].reset_index(drop=True)
    frame["evasion"] = [0.0, 0.0, 0.5, 0.0, 0.0]
    frame["evades"] = ["", "", "linear_decodability", "", ""]
    frame["hidden"] = ["", "", "", "folded", ""]
    frame["recipe"] = ["", "", "", "", "wider"]
    assert groups.names(frame).tolist() == [
        "honest", "vicious", "vicious, linear evasion 0.5", "vicious, folded", "honest, wider",
    ]  # fmt: skip
    assert groups.standard(frame).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("code", ["shuffled", "folded", "shifted"])
def test_a_hidden_code_is_judged_as_the_user_sees_it(prepared, target, tmp_path, code):
    outs = {None: tmp_path / "plain.csv", code: tmp_path / "hidden.csv"}
    names = [LINEAR, "own_decoder", "jacobian_spectrum", "finetuning", "calibration"]
    for hidden, out in outs.items():
        evaluate_defense(
            prepared.folder, target, out, detectors=names, user_images=[30], draws=1, device=CPU, hidden=hidden
        )
    plain, hidden = (pd.read_csv(out, keep_default_na=False).set_index("detector") for out in outs.values())
    assert set(plain["hidden"]) == {""}
    assert set(hidden["hidden"]) == {code}
    assert (hidden["status"] == "ok").all()
    changed = hidden["score"].astype(float) != plain["score"].astype(float)
    assert changed[[LINEAR, "own_decoder", "jacobian_spectrum"]].all(), "outputs, queries and weights are all hidden"


def test_verdicts_that_failed_are_told_by_model_and_reason(tmp_path):
    frame = scores([0.1, 0.2], [0.5])
    frame.to_csv(tmp_path / "all.csv", index=False)
    assert failed_verdicts(tmp_path / "all.csv") == []
    lost = frame["role"].eq("vicious")
    frame.loc[lost, "score"], frame.loc[lost, "status"] = np.nan, "failed"
    frame.loc[lost, "reason"] = "the training failed"
    frame.to_csv(tmp_path / "all.csv", index=False)
    (line,) = failed_verdicts(tmp_path / "all.csv")
    assert "mnist, vicious (beta_R 1), seed 0: 3 verdicts without a score: the training failed" in line
