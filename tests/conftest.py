"""Fixtures that several parts share."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vicious.config import Params, load_params
from vicious.data.prepared import PreparedDataset, load_prepared

ROOT = Path(__file__).resolve().parents[1]

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as in a shell's background, where what tests start would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def write_prepared(folder: Path, *, classes=4, channels=1, multilabel=False, counts=(48, 16, 40), seed=0) -> Path:
    """A small prepared dataset with one bright bar per class, so that it can be learned in a moment."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in zip(("train", "validation", "test"), counts, strict=True):
        shape = (n, classes) if multilabel else (n,)
        labels = generator.integers(2 if multilabel else classes, size=shape)
        images = generator.integers(0, 90, size=(n, channels, 32, 32))
        for image, label in zip(images, labels, strict=True):
            for place in np.flatnonzero(label) if multilabel else [label]:
                image[:, place * 8 : place * 8 + 8, 8:24] += generator.integers(80, 160)  # a flip keeps the class
        np.save(folder / f"{split}_images.npy", images.astype(np.uint8))
        np.save(folder / f"{split}_labels.npy", labels.astype(np.uint8 if multilabel else np.int64))
    train = np.load(folder / "train_images.npy") / 255
    info = {
        "name": "celeba" if multilabel else "mnist",
        "title": "CelebA" if multilabel else "MNIST",
        "channels": channels,
        "classes": classes,
        "multilabel": multilabel,
        "label_names": [],
        "n": dict(zip(("train", "validation", "test"), counts, strict=True)),
        "mean": train.mean((0, 2, 3)).tolist(),
        "std": train.std((0, 2, 3)).tolist(),
        "synthetic": True,
        "source": "synthetic",
        "split_seed": 0,
        "files": [],
        "fingerprint": f"test-{seed}",
    }
    (folder / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


@pytest.fixture
def smoke() -> Params:
    """The smoke study of one dataset."""
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke", "datasets": ["mnist"]})


@pytest.fixture
def spawn():
    """Starts a Python program, which says a word once it is ready, and ends it after the test."""
    started = []

    def start(word, *arguments, **options):
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        assert process.stdout.readline() == f"{word}\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def prepared(tmp_path) -> PreparedDataset:
    """Four classes, grey."""
    return load_prepared(write_prepared(tmp_path / "prepared"))


@pytest.fixture
def prepared_attributes(tmp_path) -> PreparedDataset:
    """Four attributes, RGB."""
    return load_prepared(write_prepared(tmp_path / "attributes", channels=3, multilabel=True))


def _assessment(task, model, seed, reason="", images=3, **changes):
    """What the JSON of an assessment holds before its measures; ``model`` is its role, attack, outputs and beta_R."""
    role, attack, outputs, beta_r = model
    schedule = {"epochs": 1, "seed": seed}
    return {
        **{"dataset": task.split("-")[0], "task": task, "k": 10, "label_names": None, "source": "official"},
        **{"role": role, "attack": attack, "outputs": outputs, "trained_for": "" if role == "honest" else outputs},
        **{"beta_r": beta_r, "evades": "", "evasion": 0.0, "seed": seed},
        **{"status": "failed" if reason else "ok", "reason": reason},
        **{"data": "fingerprint", "images": {"test": images}, "beta_c": 1.0},
        "target": {"architecture": {"depth": 10, "width": 1}, "schedule": schedule},
        "attacker": {"schedule": schedule},
        **changes,
    }


@pytest.fixture(scope="session")
def assessment():
    """Makes the record of an assessment."""
    return _assessment
