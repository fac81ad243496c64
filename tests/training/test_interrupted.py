"""A training that a signal interrupts, anywhere and several times, ends with the bytes of one that ran through, and
does no batch twice."""

import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from models_by_hand import F, G

from vicious.data.batches import Batch, Held
from vicious.data.prepared import PreparedDataset
from vicious.models.schedule import Schedule
from vicious.system import interrupt
from vicious.system.files import write_bytes
from vicious.system.interrupt import Interrupted
from vicious.system.registry import names
from vicious.training import jobs, loop, objectives
from vicious.training.penalty import PACKAGE

CPU = torch.device("cpu")
SCHEDULE = Schedule(epochs=3, batch_images=8, learning_rate=0.002, seed=0, epoch_images=40)
STEPS = 5
"""Batches of an epoch: 40 of 48 images."""


@pytest.fixture(autouse=True)
def _signals_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(interrupt, "CLEANING", 0.0)
    torch.set_num_threads(1)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupt.listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def honest(data: Any, out: Path) -> None:
    jobs.train_honest(data, out / "target.safetensors", F, SCHEDULE, CPU, "", recipe="plain")


def paced(data: Any, out: Path) -> None:
    """With all that a schedule may ask for."""
    schedule = replace(SCHEDULE, rate="one_cycle", augmented=False, average=0.8)
    jobs.train_honest(data, out / "target.safetensors", F, schedule, CPU, "", recipe="decayed")


def joint(outputs: str = "logits", changes: Any = None, **options: Any) -> Callable[..., None]:
    schedule = replace(SCHEDULE, **(changes or {}))

    def run(data: Any, out: Path) -> None:
        files = out / "target.safetensors", out / "joint.safetensors"
        jobs.train_vicious(data, *files, F, G, outputs, 1.0, 1.0, schedule, CPU, "", **options)

    return run


def posthoc(data: Any, out: Path) -> None:
    files = out / "target.safetensors", out / "posthoc.safetensors"
    jobs.train_attack(data.folder, *files, G, "noise0.2", SCHEDULE, CPU, "")


def written(folder: Path) -> dict[Any, Any]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def signals_at(monkeypatch: pytest.MonkeyPatch, moments: Any) -> list[Any]:
    """Raise a signal before batches of these numbers, validation's included; returns the splits of all batches asked
    for. The pass in which a frozen target model is asked for its answers does not count."""
    asked: list[Any] = []

    class Spied(Held):
        def __init__(self, data: Any, split: Any, device: Any) -> None:
            super().__init__(data, split, device)
            self.split = split

        def batches(self, size: int, order: Any = None) -> Iterator[Batch]:
            for batch in super().batches(size, order):
                if sys._getframe(1).f_code.co_name != "_all_answers":
                    asked.append(self.split)
                    if len(asked) in moments:
                        signal.raise_signal(moments[len(asked)])
                yield batch

    monkeypatch.setattr(loop, "Held", Spied)
    return asked


@pytest.mark.parametrize(
    ("train", "kind"),
    [
        pytest.param(honest, "classes", id="honest"),
        pytest.param(posthoc, "classes", id="posthoc-noise"),
        pytest.param(joint("noise0.2"), "classes", id="noise"),
        pytest.param(joint(), "attributes", id="attributes"),
        pytest.param(paced, "classes", id="paced"),
        pytest.param(joint(changes={"rate": "one_cycle"}), "classes", id="rate"),
        pytest.param(joint(changes={"average": 0.9}), "attributes", id="average"),
        *(
            pytest.param(joint(evasion=0.5, evades=name), kind, id=f"{name}-{kind}")
            for name in names(PACKAGE)
            for kind in ("classes", "attributes")
        ),
    ],
)
def test_interrupted_at_random_batches_it_ends_the_same(
    prepared: PreparedDataset,
    prepared_attributes: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    train: Any,
    kind: Any,
    request: pytest.FixtureRequest,
) -> None:
    data = prepared if kind == "classes" else prepared_attributes
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
        if train is posthoc:
            jobs.train_honest(data, tmp_path / name / "target.safetensors", F, Schedule(1, 48, 0.002, 0), CPU, "")
    train(data, tmp_path / "whole")

    chance = random.Random(request.node.name)
    moments = sorted(chance.sample(range(1, SCHEDULE.epochs * (STEPS + 1) + 1), 5))
    asked = signals_at(
        monkeypatch, {moment: chance.choice([signal.SIGINT, signal.SIGTERM]) for moment in (*moments, STEPS + 1)}
    )
    interruptions = 0
    while True:
        try:
            train(data, tmp_path / "interrupted")
            break
        except Interrupted:
            interruptions += 1
            assert [path.suffix for path in jobs.RESUME_FOLDER.iterdir()] == [".safetensors"]
    assert interruptions == len({*moments, STEPS + 1})
    assert asked.count("train") == SCHEDULE.epochs * STEPS, "no batch is trained twice"
    assert written(tmp_path / "interrupted") == written(tmp_path / "whole")
    assert not list(jobs.RESUME_FOLDER.iterdir())


def test_a_signal_while_the_target_model_is_asked_ends_it_soon_and_changes_nothing(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
        jobs.train_honest(prepared, tmp_path / name / "target.safetensors", F, Schedule(1, 48, 0.002, 0), CPU, "")
    posthoc(prepared, tmp_path / "whole")
    asked, ask = [], objectives.PostHoc._asked

    def signalled(self: Any, images: Any) -> Any:
        asked.append(len(images))
        signal.raise_signal(signal.SIGTERM)
        return ask(self, images)

    monkeypatch.setattr(objectives.PostHoc, "_asked", signalled)
    monkeypatch.setattr(objectives, "EVALUATION_BATCH", 10)
    with pytest.raises(Interrupted):
        posthoc(prepared, tmp_path / "interrupted")
    assert asked == [10]
    monkeypatch.setattr(objectives.PostHoc, "_asked", ask)
    posthoc(prepared, tmp_path / "interrupted")
    assert written(tmp_path / "interrupted") == written(tmp_path / "whole")


def test_signals_while_it_is_saved_change_nothing(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
    joint()(prepared, tmp_path / "whole")

    def hurried(path: Path, content: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        write_bytes(path, content)
        signal.raise_signal(signal.SIGTERM)

    signals_at(monkeypatch, {4: signal.SIGTERM})
    monkeypatch.setattr(loop, "write_bytes", hurried)
    with pytest.raises(Interrupted):
        joint()(prepared, tmp_path / "interrupted")
    monkeypatch.setattr(loop, "write_bytes", write_bytes)
    joint()(prepared, tmp_path / "interrupted")
    assert written(tmp_path / "interrupted") == written(tmp_path / "whole")
