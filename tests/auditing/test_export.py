"""A study's target model: audited as it is, and exported."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from models_by_hand import F

from vicious.auditing import export
from vicious.auditing.export import export_onnx
from vicious.auditing.model import open_model
from vicious.cli import main
from vicious.models.architecture import Architecture
from vicious.models.checkpoint import load_model, save_model
from vicious.system.errors import AuditError, CheckpointError

RECORD = {
    "role": "vicious",
    "dataset": "mnist",
    "task": "mnist",
    "source": "stand-in",
    "data": "0" * 64,
    "n": {"train": 1},
    "schedule": {"epochs": 1, "batch_images": 1, "learning_rate": 0.1, "seed": 0, "epoch_images": None},
    "outputs": "logits",
    "beta_c": 1.0,
    "beta_r": 1.0,
    "as_many_as": None,
}


def write_target(folder: Path, channels: int = 1, multilabel: bool = False, **changes: Any) -> Path:
    """A target model with weights of chance, as training writes it."""
    architecture = Architecture(F, channels, 5, multilabel)
    torch.manual_seed(0)
    network = architecture.build()
    for tensor in network.state_dict().values():  # fresh ones give outputs near 0
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 0.5)
    weights = folder / "target.safetensors"
    save_model(network, weights, architecture, RECORD | changes)
    return weights


def expected(weights: Path, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(load_model(weights, "target")[0](torch.from_numpy(images)).numpy())


def noise(number: int, channels: int) -> np.ndarray:
    return np.random.default_rng(1).random((number, channels, 32, 32), dtype=np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_target_model_answers_as_it_is(tmp_path: Path, channels: int) -> None:
    weights, images = write_target(tmp_path, channels), noise(6, channels)
    for place in (weights, tmp_path):
        model = open_model(place)
        assert (model.channels, model.height, model.width, model.classes) == (channels, 32, 32, 5)
        assert (model.kind, model.multilabel, model.notes) == ("logits", False, ())
        np.testing.assert_allclose(model.query(images), expected(weights, images), rtol=1e-5, atol=1e-5)


def test_weights_without_their_record_are_explained(tmp_path: Path) -> None:
    weights = write_target(tmp_path)
    weights.with_suffix(".json").unlink()
    with pytest.raises(AuditError, match=r"weights alone.*target\.json"):
        open_model(weights)


def test_an_exported_model_answers_as_the_target_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, out, images = write_target(tmp_path / "target"), tmp_path / "made/model.onnx", noise(7, 1)
    assert main(["export", str(weights), str(out)]) == 0
    assert "differ from PyTorch's by at most" in capsys.readouterr().out
    model, logits = open_model(out), expected(weights, images)
    assert np.abs(logits).max() > 0.1
    np.testing.assert_allclose(model.query(images), logits, rtol=1e-4, atol=1e-5)
    assert (model.kind, model.multilabel, model.notes) == ("logits", False, ())
    content = out.read_bytes()
    assert [
        word for word in (b"vicious\x00", b"honest", b"beta_r", str(tmp_path).encode(), b"/src/") if word in content
    ] == []
    metadata = {one.key: one.value for one in onnx.load(out).metadata_props}
    assert "vicious" not in metadata.values()
    assert metadata["vicious.task"] == "mnist"
    assert [one.name for one in out.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("multilabel", [False, True])
def test_softmax_or_sigmoid_may_follow(tmp_path: Path, multilabel: bool) -> None:
    weights, out, images = write_target(tmp_path, multilabel=multilabel), tmp_path / "model.onnx", noise(4, 1)
    export_onnx(tmp_path, out, probabilities=True)
    model, logits = open_model(out), torch.from_numpy(expected(weights, images))
    assert (model.kind, model.multilabel) == ("probabilities", multilabel)
    wanted = logits.sigmoid() if multilabel else logits.softmax(1)
    np.testing.assert_allclose(model.query(images), wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_nothing_is_written_where_it_cannot_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_target(tmp_path / "target")
    with pytest.raises(AuditError, match=r"end in \.onnx"):
        export_onnx(tmp_path / "target", tmp_path / "model.pt")
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(AuditError, match="differs from PyTorch's"):
        export_onnx(tmp_path / "target", tmp_path / "made/model.onnx")
    write_target(tmp_path / "failed", failure="diverged")
    with pytest.raises(CheckpointError, match="diverged"):
        export_onnx(tmp_path / "failed", tmp_path / "made/model.onnx")
    assert not (tmp_path / "made/model.onnx").exists()
