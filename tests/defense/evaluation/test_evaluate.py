"""Evaluation of detectors over models."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from models_by_hand import F

from vicious.data.prepared import PreparedDataset
from vicious.defense.detector import PACKAGE, Detector
from vicious.defense.detectors import linear_decodability
from vicious.defense.evaluation.evaluate import evaluate_defense, samples
from vicious.models.schedule import Schedule
from vicious.system.registry import names
from vicious.training.jobs import train_honest

CPU = torch.device("cpu")
LINEAR = "linear_decodability"


@pytest.fixture
def target(prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    train_honest(prepared, tmp_path / "target.safetensors", F, Schedule(1, 16, 0.002, 0), CPU, "")
    return tmp_path / "target.safetensors"


def test_a_row_per_draw_and_the_same_bytes_twice(prepared: PreparedDataset, target: Any, tmp_path: Path) -> None:
    outs = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for out in outs:
        evaluate_defense(prepared.folder, target, out, detectors=[LINEAR], user_images=[10, 30], draws=2, device=CPU)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    frame = pd.read_csv(outs[0])
    assert frame[["n_user", "draw"]].to_numpy().tolist() == [[10, 0], [10, 1], [30, 0], [30, 1]]
    assert frame["score"].notna().all()
    assert frame["score"].nunique() == 4


@pytest.mark.parametrize(("n", "draws", "apart"), [(10, 4, 4), (10, 9, 4), (15, 3, 2), (40, 2, 1)])
def test_samples_share_no_images_as_long_as_there_are_enough(n: int, draws: int, apart: int) -> None:
    drawn = list(samples(40, n, draws))
    assert [len(set(one)) for one in drawn] == [n] * draws
    for first in range(0, draws, apart):
        together = np.concatenate(drawn[first : first + apart])
        assert len(set(together)) == len(together)
    assert len({tuple(sorted(one)) for one in drawn}) == (draws if n < 40 else 1), "later ones are other samples"
    assert all(map(np.array_equal, samples(40, n, draws), drawn))


@pytest.mark.parametrize(("n", "warned"), [(20, False), (21, True), (41, False)])
def test_samples_that_must_share_images_are_warned_of(
    prepared: PreparedDataset, target: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, n: int, warned: bool
) -> None:
    out = tmp_path / "a.csv"
    evaluate_defense(prepared.folder, target, out, detectors=["entropy"], user_images=[n], draws=2, device=CPU)
    assert (f"2 samples of {n} share images: there are 40" in caplog.text) == warned


def test_more_user_images_than_there_are_is_a_failed_row_not_a_missing_one(
    prepared: PreparedDataset, target: Any, tmp_path: Path
) -> None:
    evaluate_defense(
        prepared.folder, target, tmp_path / "a.csv", detectors=[LINEAR], user_images=[10, 41], draws=1, device=CPU
    )
    frame = pd.read_csv(tmp_path / "a.csv")
    assert frame["status"].tolist() == ["ok", "failed"]
    assert "only 40 images" in frame["reason"][1]


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, torch.linalg.LinAlgError])  # type: ignore[attr-defined]
def test_a_decomposition_that_fails_is_a_failed_row(
    prepared: PreparedDataset, target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    def fails(_: Any) -> float:
        raise error("the singular values did not converge")

    monkeypatch.setattr(linear_decodability, "DETECTOR", Detector(LINEAR, "outputs", fails))
    out = tmp_path / "a.csv"
    evaluate_defense(prepared.folder, target, out, detectors=[LINEAR], user_images=[10], draws=1, device=CPU)
    (row,) = pd.read_csv(out).itertuples()
    assert (row.status, row.reason) == ("failed", "the singular values did not converge")


def test_every_detector_judges_a_real_model_and_leaves_it_alone(
    prepared: PreparedDataset, target: Any, tmp_path: Path
) -> None:
    before = target.read_bytes()
    every = names(PACKAGE)
    evaluate_defense(
        prepared.folder, target, tmp_path / "a.csv", detectors=every, user_images=[20], draws=1, device=CPU
    )
    frame = pd.read_csv(tmp_path / "a.csv")
    assert frame["detector"].tolist() == list(every)
    assert (frame["status"] == "ok").all()
    assert np.isfinite(frame["score"]).all()
    assert target.read_bytes() == before


def test_a_detector_scores_alone_what_it_scores_among_others(
    prepared: PreparedDataset, target: Any, tmp_path: Path
) -> None:
    def found(detectors: Any) -> pd.Series:
        out = tmp_path / "a.csv"
        evaluate_defense(prepared.folder, target, out, detectors=detectors, user_images=[12, 20], draws=2, device=CPU)
        return pd.read_csv(out).set_index(["detector", "n_user", "draw"])["score"]

    together, reversed_ = found(names(PACKAGE)), found(names(PACKAGE)[::-1])
    pd.testing.assert_series_equal(together.sort_index(), reversed_.sort_index(), check_exact=True)
    for name in names(PACKAGE):
        pd.testing.assert_series_equal(found([name])[name], together[name], check_exact=True)


@pytest.mark.parametrize("code", ["shuffled", "folded", "shifted", "keyed"])
def test_a_hidden_code_is_judged_as_the_user_sees_it(
    prepared: PreparedDataset, target: Any, tmp_path: Path, code: str
) -> None:
    outs = {None: tmp_path / "plain.csv", code: tmp_path / "hidden.csv"}
    names = [LINEAR, "own_decoder", "jacobian_spectrum", "finetuning", "calibration"]
    for hidden, out in outs.items():
        evaluate_defense(
            prepared.folder, target, out, detectors=names, user_images=[30], draws=1, device=CPU, hidden=hidden
        )
    plain, mapped = (pd.read_csv(out, keep_default_na=False).set_index("detector") for out in outs.values())
    assert set(plain["hidden"]) == {""}
    assert set(mapped["hidden"]) == {code}
    assert mapped["status"].eq("ok").all()
    changed = mapped["score"].astype(float) != plain["score"].astype(float)
    assert changed[["own_decoder", "jacobian_spectrum"]].all(), "queries and weights are hidden"
    assert changed[LINEAR] or code == "shuffled", (
        "outputs are hidden; where one class is predicted, their order is all alike"
    )
