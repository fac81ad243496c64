"""The drawn faces teach what they are meant to: attributes can be read from them, far better than by guessing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models_by_hand import F

from vicious.data.batches import Held
from vicious.data.datasets import find_dataset
from vicious.data.prepare import prepare
from vicious.data.prepared import load_prepared
from vicious.data.source import obtain
from vicious.models.checkpoint import load_model
from vicious.models.schedule import Schedule
from vicious.training.jobs import train_honest

CLEARLY_DRAWN = ("Black_Hair", "Blond_Hair", "Heavy_Makeup", "Male", "Wearing_Lipstick")


@pytest.mark.slow
def test_an_honest_model_learns_the_drawn_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    celeba = find_dataset("celeba")
    obtain(
        celeba,
        "synthetic",
        tmp_path / "raw",
        tmp_path / "source.json",
        download=False,
        checksums={},
        counts=(1500, 150, 300),
    )
    files = json.loads((tmp_path / "source.json").read_text())["files"]
    caps = {"train": 1500, "validation": 150, "test": 300}
    prepare(celeba, tmp_path / "raw", tmp_path / "data", source="synthetic", split_seed=0, files=files, **caps)
    data = load_prepared(tmp_path / "data")
    weights = tmp_path / "target.safetensors"
    train_honest(data, weights, F, Schedule(8, 16, 0.002, 0), torch.device("cpu"), "")
    model, _ = load_model(weights, "target")
    with torch.no_grad():
        ((images, *_),) = Held(data, "test", torch.device("cpu")).batches(300)
        logits = model(images).numpy()
    labels = data.labels("test")
    right = ((logits >= 0) == (labels > 0)).mean(0)
    share = labels.mean(0)
    majority = np.maximum(share, 1 - share)
    mended = dict(zip(data.info.label_names, (right - majority) / (1 - majority), strict=True))
    assert all(mended[name] > 0.3 for name in CLEARLY_DRAWN), "of the errors that the commoner value makes"
    # the loss weighs positives up, so rare attributes are judged by the mean of both rates, which guessing puts at 1/2
    seen = [column for column in range(40) if 15 <= labels[:, column].sum() <= 285]
    balanced = [(right_of(logits, labels, column, 1) + right_of(logits, labels, column, 0)) / 2 for column in seen]
    assert np.mean(balanced) > 0.65


def right_of(logits: Any, labels: Any, column: Any, value: Any) -> Any:
    """Share of the images with this value of an attribute of which it is read rightly."""
    chosen = labels[:, column] == value
    return ((logits[chosen, column] >= 0) == value).mean()
