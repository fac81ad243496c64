"""Fixtures that several parts share."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared_by_hand import write_prepared

from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.study.config import Params, load_params

ROOT = Path(__file__).resolve().parents[1]

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as in a shell's background, where what tests start would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def smoke() -> Params:
    """The smoke study of one dataset."""
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke", "datasets": ["mnist"]})


@pytest.fixture
def launch() -> Iterator[Callable[..., subprocess.Popen[Any]]]:
    """Starts a process in the background, and ends it after the test."""
    started = []

    def start(command: Any, **options: Any) -> subprocess.Popen[Any]:
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield start
    for process in started:
        with process:  # which closes its pipes and waits for it
            process.kill()


@pytest.fixture
def spawn(launch: Any) -> Callable[..., Any]:
    """Starts a Python program, which says a word once it is ready, and ends it after the test."""

    def start(word: Any, *arguments: Any, **options: Any) -> Any:
        process = launch([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, **options)
        assert process.stdout.readline() == f"{word}\n"
        return process

    return start


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedDataset:
    """Four classes, grey."""
    return load_prepared(write_prepared(tmp_path / "prepared"))


@pytest.fixture
def prepared_attributes(tmp_path: Path) -> PreparedDataset:
    """Four attributes, RGB."""
    return load_prepared(write_prepared(tmp_path / "attributes", channels=3, multilabel=True))


def _assessment(task: str, model: Any, seed: int, reason: str = "", images: int = 3, **changes: Any) -> dict[Any, Any]:
    """What the JSON of an assessment holds before its measures; ``model`` is its role, attack, outputs and beta_R."""
    role, attack, outputs, beta_r = model
    schedule = {"epochs": 1, "seed": seed}
    return {
        **{"dataset": task.split("-")[0], "task": task, "k": 10, "label_names": None, "source": "official"},
        **{"role": role, "attack": attack, "outputs": outputs, "trained_for": "" if role == "honest" else outputs},
        **{"means": "", "beta_r": beta_r, "evades": "", "evasion": 0.0, "seed": seed},
        **{"status": "failed" if reason else "ok", "reason": reason},
        **{"data": "fingerprint", "images": {"test": images}, "beta_c": 1.0},
        "target": {"architecture": {"depth": 10, "width": 1}, "schedule": schedule},
        "attacker": {"schedule": schedule},
        **changes,
    }


@pytest.fixture(scope="session")
def assessment() -> Callable[..., dict[Any, Any]]:
    """Makes the record of an assessment."""
    return _assessment
