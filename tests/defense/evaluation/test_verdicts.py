"""Verdicts that were made before are taken, to the byte; those that may differ are made again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import mutants
from models_by_hand import F

from vicious.data.prepared import PreparedDataset
from vicious.defense.detector import Detector, find_detector
from vicious.defense.evaluation import evaluate
from vicious.defense.evaluation.evaluate import evaluate_defense
from vicious.defense.evaluation.verdicts import FOLDER, Verdict, Verdicts, keep, kept
from vicious.models.schedule import Schedule
from vicious.training.jobs import train_honest

CPU = torch.device("cpu")
NAMES = ("entropy", "own_decoder", "margin")
CODE = dict.fromkeys(NAMES, "as it was")
IDENTITY = {"detector": "entropy", "user_images": [10, 20], "draws": 2}
MADE = Verdicts(
    {"10": [Verdict(1 / 3), Verdict(None, "failed", "no reason")], "20": [Verdict(-0.1), Verdict(5e-324)]},
    {"10": 0.1 + 0.2, "20": 1e-7},
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def judge(prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Judges a model and returns the bytes of the CSV, the seconds, and the detectors that were asked."""
    train_honest(prepared, tmp_path / "target.safetensors", F, Schedule(1, 16, 0.002, 0), CPU, "")
    asked: list[str] = []

    def find(name: str) -> Detector:
        asked.append(name)
        return find_detector(name)

    monkeypatch.setattr(evaluate, "find_detector", find)

    def run(identities: Any = CODE, **changed: Any) -> Any:
        asked.clear()
        settings = {"detectors": NAMES, "user_images": [10, 41], "draws": 2, "device": CPU, **changed}
        paths = prepared.folder, tmp_path / "target.safetensors", tmp_path / "a.csv"
        seconds = evaluate_defense(*paths, identities=identities, **settings)
        return (tmp_path / "a.csv").read_bytes(), seconds, set(asked)

    return run


def test_what_is_there_is_taken_without_the_model(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, seconds, asked = judge()
    assert asked == set(NAMES)
    monkeypatch.setattr(evaluate, "load_model", None)
    assert judge() == (rows, seconds, set())
    assert judge(detectors=NAMES[::-1])[1:] == (seconds, set())


def test_a_detector_of_other_code_is_judged_alone(judge: Any, caplog: pytest.LogCaptureFixture) -> None:
    rows, seconds, _ = judge()
    caplog.set_level("INFO")
    again, measured, asked = judge(CODE | {"margin": "changed"})
    assert (again, asked) == (rows, {"margin"})
    assert measured["own_decoder"] == seconds["own_decoder"]
    assert "verdicts kept: entropy, own_decoder; judged now: margin" in caplog.text


@pytest.mark.parametrize("changed", [{"hidden": "folded"}, {"draws": 1}, {"user_images": [10]}])
def test_another_question_has_other_verdicts(judge: Any, changed: Any) -> None:
    judge()
    assert judge(**changed)[2] == set(NAMES)


def test_another_number_of_threads_has_other_verdicts(judge: Any) -> None:
    judge()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert judge()[2] == set(NAMES)
    finally:
        torch.set_num_threads(threads)


def test_without_an_identity_nothing_is_kept(judge: Any) -> None:
    assert judge(None)[2] == judge({})[2] == set(NAMES)
    assert not FOLDER.exists()
    judge({"margin": "as it was"})
    assert judge({"margin": "as it was"})[2] == {"entropy", "own_decoder"}


def test_they_are_kept_outside_of_the_output(judge: Any) -> None:
    before = set(Path.cwd().iterdir())
    judge()
    assert {path.name for path in set(Path.cwd().iterdir()) - before if path.is_file()} == {"a.csv"}
    assert len(list(FOLDER.iterdir())) == len(NAMES)


def test_they_come_back_to_the_last_bit() -> None:
    keep(IDENTITY, MADE)
    assert kept(IDENTITY) == MADE
    assert kept(IDENTITY | {"draws": 3}) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-30],
        lambda text: "[]",
        lambda text: "null",
        lambda text: json.dumps(json.loads(text) | {"identity": {}}),
        lambda text: json.dumps(json.loads(text) | {"of": {"10": []}}),
        lambda text: json.dumps(json.loads(text) | {"seconds": {"10": 1}}),
        lambda text: text.replace('"failed"', '"ok"'),
        lambda text: text.replace("-0.1", '"-0.1"'),
        lambda text: text.replace("-0.1", "NaN"),
        lambda text: text.replace('"reason"', '"cause"'),
        lambda text: text.replace('"reason": ""', '"reason": 5'),
        lambda text: text.replace('"of"', '"of": {}, "of"'),
        lambda text: "[" * 100_000,
        lambda text: "\udcff",
    ],
)
def test_a_damaged_file_is_judged_again(damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    keep(IDENTITY, MADE)
    (file,) = FOLDER.iterdir()
    file.write_bytes(damage(file.read_text()).encode(errors="surrogateescape"))
    assert kept(IDENTITY) is None
    assert "is damaged" in caplog.text
    keep(IDENTITY, MADE)
    assert kept(IDENTITY) == MADE


@pytest.mark.fuzz
def test_mutants_are_verdicts_or_judged_again() -> None:
    keep(IDENTITY, MADE)
    (file,) = FOLDER.iterdir()
    for mutant in mutants(file.read_bytes(), 400):
        file.write_bytes(mutant)
        kept(IDENTITY)
