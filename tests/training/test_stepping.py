"""Steps that are recorded and replayed, as on a GPU, against steps that are not. What records here runs the work anew
into the tensors of its results: the rest is what a GPU does too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from models_by_hand import F, G
from safetensors.torch import load_file
from torch import Tensor

from vicious import mitigations
from vicious.data.prepared import PreparedDataset
from vicious.mitigations import Outputs, parse_outputs, transmit
from vicious.models.schedule import Schedule
from vicious.system.registry import names
from vicious.training import jobs, loop
from vicious.training.stepping import Stepping, Work

CPU = torch.device("cpu")
SCHEDULE = Schedule(epochs=2, batch_images=20, learning_rate=0.002, seed=0)
"""Batches of 20, 20 and 8 of the 48 training images."""


class Recorder:
    """Records work by running it again; counts recordings and replays."""

    def __init__(self) -> None:
        self.recordings = self.replays = 0

    def __call__(self, work: Work) -> tuple[dict[str, Tensor], Callable[[], None]]:
        found = {name: value.clone() for name, value in [work() for _ in range(3)][-1].items()}
        self.recordings += 1

        def replay() -> None:
            self.replays += 1
            for name, value in work().items():
                found[name].copy_(value)

        return found, replay


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    """All trainings of this test record their steps."""
    monkeypatch.chdir(tmp_path)
    made = Recorder()
    monkeypatch.setattr(
        loop, "Stepping", lambda objective, optimisers, full, _: Stepping(objective, optimisers, full, made)
    )
    return made


def trained(data: Any, out: Path, kind: str, schedule: Schedule = SCHEDULE) -> dict[str, Tensor]:
    target, attack = out / "target.safetensors", out / "attack.safetensors"
    if kind == "joint":
        jobs.train_vicious(data, target, attack, F, G, "logits", 1.0, 1.0, schedule, CPU, "")
    else:
        jobs.train_honest(data, target, F, schedule, CPU, "")
    if kind == "posthoc":
        jobs.train_attack(data.folder, target, attack, G, "softmax", schedule, CPU, "")
    files = [file for file in (target, attack) if file.is_file()]
    curves = {file.stem: torch.tensor([*file.read_bytes()]) for file in out.glob("*.csv")}
    return curves | {f"{file.stem} {key}": value for file in files for key, value in load_file(file).items()}


PACED = replace(SCHEDULE, rate="one_cycle", augmented=False, average=0.9)


@pytest.mark.parametrize("schedule", [SCHEDULE, PACED], ids=["constant", "paced"])
@pytest.mark.parametrize("kind", ["honest", "joint", "posthoc"])
def test_replayed_steps_train_the_same_model(
    prepared: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    recorder: Recorder,
    schedule: Schedule,
) -> None:
    found = trained(prepared, tmp_path / "replayed", kind, schedule)
    trainings = 2 if kind == "posthoc" else 1
    assert (recorder.recordings, recorder.replays) == (trainings, trainings * SCHEDULE.epochs * 2)
    monkeypatch.setattr(loop, "Stepping", Stepping)
    expected = trained(prepared, tmp_path / "plain", kind, schedule)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize(("outputs", "evasion"), [("noise0.2", 0.0), ("logits", 0.5)])
def test_steps_that_draw_or_remember_are_not_recorded(
    prepared: PreparedDataset, tmp_path: Path, recorder: Recorder, outputs: str, evasion: float
) -> None:
    files = tmp_path / "target.safetensors", tmp_path / "attack.safetensors"
    jobs.train_vicious(
        prepared, *files, F, G, outputs, 1.0, 1.0, SCHEDULE, CPU, "", evasion=evasion, evades="linear_decodability"
    )
    assert recorder.recordings == 0


@pytest.mark.parametrize("kind", names(mitigations.__name__))
def test_a_mitigation_says_whether_it_draws(kind: str) -> None:
    numbered = Outputs(kind).mitigation.number is not None
    outputs, generator = f"{kind}2" if numbered else kind, torch.Generator()
    before = generator.get_state()
    transmit(torch.randn(4, 10), outputs, False, generator)
    assert parse_outputs(outputs).mitigation.random == (not torch.equal(before, generator.get_state()))
