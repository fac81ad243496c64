"""TorchScript, sound and made to harm."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import mutants
from graphs_by_hand import evil_pickle, opened_or_explained
from torch import Tensor, nn

from vicious.auditing.archives import members
from vicious.auditing.model import Asked, open_model
from vicious.system.errors import AuditError

SHAPE = Asked(shape=(3, 8, 8))
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def save(made: Callable[[], Any], file: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(made(), file)
    return file


@pytest.fixture(scope="module", params=["traced", "scripted"])
def sound(network: nn.Module, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("script")
    if request.param == "traced":
        return save(lambda: torch.jit.trace(network, torch.zeros(2, 3, 8, 8)), folder / "model.pt")
    return save(lambda: torch.jit.script(network), folder / "model.pt")


def test_answers_are_the_networks(sound: Path, answers: tuple[Tensor, Tensor]) -> None:
    model, (images, expected) = open_model(sound, SHAPE), answers
    assert (model.format, model.classes) == ("TorchScript", 5)
    np.testing.assert_allclose(model.query(images.numpy()), expected.numpy(), rtol=1e-5, atol=1e-6)
    assert model.module is not None


def test_a_layer_of_a_package_called_ops_is_no_operator(tmp_path: Path) -> None:
    """Torchvision has such layers; only names that begin with ``ops`` are operators."""
    from torchvision.ops import Conv2dNormActivation

    network = nn.Sequential(Conv2dNormActivation(3, 2), nn.Flatten()).eval()
    file = save(lambda: torch.jit.trace(network, torch.zeros(2, 3, 8, 8)), tmp_path / "model.pt")
    assert open_model(file, SHAPE).classes == 128


def test_the_shape_is_asked_for(sound: Path) -> None:
    with pytest.raises(AuditError, match="--shape CHANNELS HEIGHT WIDTH"):
        open_model(sound)


class Saving(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, "touched")
        return images.flatten(1)


class Mapping(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) + torch.from_file("touched", True, 1)


class Printing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        print("\x1b[2J")
        return images.flatten(1)


class Two(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1), -images.flatten(1)


@pytest.mark.parametrize("kind", [Saving, Mapping, Printing])
def test_code_that_does_more_than_compute_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[nn.Module]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = save(lambda: torch.jit.script(kind()), tmp_path / "model.pt")
    with pytest.raises(AuditError, match=r"writes, reads or prints .*line \d"):
        open_model(file, SHAPE)
    assert [one.name for one in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    "code",
    ['torch.ops.aten.save(x, "touched")', 'getattr(torch, "sa\\x76e")(x, "touched")', "__torch__.torch.classes.a.B()"],
)
def test_code_that_hides_what_it_does_is_refused(sound: Path, tmp_path: Path, rewritten: Any, code: str) -> None:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(b"return ", f"{code}\n    return ".encode()) if name.endswith(".py") else content

    with pytest.raises(AuditError, match="is not loaded"):
        open_model(rewritten(sound, tmp_path / "model.pt", change), SHAPE)


def test_one_of_several_outputs_is_chosen(tmp_path: Path) -> None:
    file = save(lambda: torch.jit.script(Two()), tmp_path / "model.pt")
    images = np.random.default_rng(0).random((3, 3, 8, 8), dtype=np.float32)
    with pytest.raises(AuditError, match=r"0 of shape .*--output"):
        open_model(file, SHAPE)
    asked = Asked(shape=(3, 8, 8), output="1")
    np.testing.assert_allclose(open_model(file, asked).query(images), -images.reshape(3, -1))


def test_pickles_are_explained_and_never_opened(network: nn.Module, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for name in ("model.pt", "model.pth", "model.pkl", "model.joblib", "model.onnx"):
        (tmp_path / name).write_bytes(evil_pickle(touched))
        with pytest.raises(AuditError, match=r"pickled|no ONNX model"):
            open_model(tmp_path / name)
    torch.save(network.state_dict(), tmp_path / "weights.bin")
    with pytest.raises(AuditError, match=r"pickled.*torch\.onnx\.export\(model"):
        open_model(tmp_path / "weights.bin")
    assert not touched.exists()


def test_pickled_data_in_it_is_not_pythons(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    touched = tmp_path / "touched"
    evil = evil_pickle(touched)
    for part in ("data.pkl", "constants.pkl"):
        file = rewritten(sound, tmp_path / "evil.pt", lambda name, old, part=part: evil if name == part else old)
        with pytest.raises(AuditError, match="cannot read the TorchScript"):
            open_model(file, SHAPE)
    assert not touched.exists()


def test_other_formats_are_explained(tmp_path: Path) -> None:
    file = tmp_path / "model"
    for content, words in (
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "Keras"),
        (bytes(4) + b"TFL3" + bytes(60), "TensorFlow Lite"),
        (b"%PDF-1.4" + bytes(60), "no known format"),
        (b"", "empty"),
    ):
        file.write_bytes(content)
        with pytest.raises(AuditError, match=words):
            open_model(file)
    with pytest.raises(AuditError, match="missing"):
        open_model(tmp_path / "absent.onnx")
    with pytest.raises(AuditError, match=r"without target\.safetensors"):
        open_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(AuditError, match="TensorFlow"):
        open_model(tmp_path)


def test_packed_parts_are_bounded(sound: Path, tmp_path: Path) -> None:
    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("model/code/bomb.py", bytes(100 << 20))
    with pytest.raises(AuditError, match="too large"):
        open_model(file, SHAPE)


@pytest.mark.fuzz
def test_damaged_ones_are_read_or_explained(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    file = tmp_path / "model.pt"
    for content in mutants(sound.read_bytes(), 15):
        file.write_bytes(content)
        opened_or_explained(file, SHAPE)
    parts = members(sound)
    for part in ("data.pkl", "constants.pkl", next(name for name in parts if name.endswith(".py"))):
        for content in mutants(parts[part], 15):
            rewritten(sound, file, lambda name, old, part=part, new=content: new if name == part else old)
            opened_or_explained(file, SHAPE)
