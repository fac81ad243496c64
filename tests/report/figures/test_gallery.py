"""Figure 1 shows what there is and what failed; no figure needs a display or the training library."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fuzzing import mutants
from legible import all_words
from placed import place

from vicious.report import galleries
from vicious.report.figures import gallery
from vicious.system.errors import DataError, MixedResultsError


@pytest.fixture
def pairs(made_up: ModuleType, tmp_path: Path) -> Callable[..., list[tuple[Any, Any, Path]]]:
    """Writes the galleries of some datasets, without the vicious one of those ``missing``; returns their paths."""

    def write(datasets: Any, missing: Any = ()) -> list[tuple[Any, Any, Path]]:
        paths = []
        for dataset in datasets:
            channels = 1 if dataset in ("mnist", "fashion_mnist") else 3
            honest = made_up.gallery(tmp_path / f"{dataset}_h.npz", channels, 0.3)
            vicious = tmp_path / "none.npz"
            if dataset not in missing:
                vicious = made_up.gallery(tmp_path / f"{dataset}_v.npz", channels, 0.1)
            paths.append((dataset, honest, vicious))
        return paths

    return write


def test_a_missing_gallery_is_drawn_as_failed(made_up: ModuleType, pairs: Any) -> None:
    frame = made_up.summary(("mnist", "cifar10"), synthetic=("cifar10",))
    panels = gallery.load_panels(frame, pairs(("mnist", "cifar10"), missing=("mnist",)))
    words = all_words(gallery.draw(frame, panels))
    assert "failed" in words
    assert "CIFAR-10 (synthetic stand-in)" in words
    assert "MNIST (vicious)" in str(gallery.text(frame, panels))


def test_each_strip_is_that_of_its_label(made_up: ModuleType) -> None:
    original, honest, vicious = (np.full((2, 1, 32, 32), grey, np.uint8) for grey in (0, 51, 102))
    panel = gallery.Panel(
        "mnist", "official", galleries.Gallery(original, honest), galleries.Gallery(original, vicious)
    )
    (ax,) = gallery.draw(made_up.summary(("mnist",)), [panel]).axes
    assert ax.get_title() == "MNIST"
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "original",
        f"honest,\npost-hoc\n{-20 * np.log10(0.2):.1f} dB",
        f"vicious\n{-20 * np.log10(0.4):.1f} dB",
    ]
    image = np.asarray(ax.images[0].get_array())
    assert [image[round(at), 0, 0] for at in ax.get_yticks()] == [0, 51, 102]


def test_an_empty_gallery_is_a_failure(tmp_path: Path) -> None:
    empty = np.zeros((0, 1, 32, 32), np.uint8)
    np.savez(tmp_path / "g.npz", originals=empty, reconstructions=empty, labels=np.zeros(0))
    assert galleries.load_gallery(tmp_path / "g.npz") is None


def test_a_damaged_gallery_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 not a zip")
    np.savez(tmp_path / "float.npz", originals=np.zeros((2, 1, 8, 8)), reconstructions=np.zeros((2, 1, 8, 8)))
    np.savez(tmp_path / "less.npz", originals=np.zeros((2, 1, 8, 8), np.uint8))
    for name in ("bad", "float", "less"):
        with pytest.raises(DataError, match=name):
            galleries.load_gallery(tmp_path / f"{name}.npz")


def test_a_gallery_that_unpacks_to_gigabytes_or_is_a_pipe_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.zeros((100, 1, 32, 32), np.uint8)
    np.savez_compressed(tmp_path / "bomb.npz", originals=images, reconstructions=images)
    monkeypatch.setattr(galleries, "MOST_BYTES", 200_000)
    os.mkfifo(tmp_path / "pipe.npz")
    for name, why in (("bomb", "unpacks to more than 200,000 bytes"), ("pipe", "named pipe")):
        with pytest.raises(DataError, match=why):
            galleries.load_gallery(tmp_path / f"{name}.npz")


@pytest.mark.fuzz
def test_damaged_variants_of_a_gallery_are_read_or_data_errors(tmp_path: Path, made_up: ModuleType) -> None:
    sound, file = made_up.gallery(tmp_path / "sound.npz", 1, 0.1).read_bytes(), tmp_path / "mutant.npz"
    for mutant in mutants(sound, 300):
        file.write_bytes(mutant)
        with suppress(DataError):
            galleries.load_gallery(file)


def test_galleries_of_different_images_are_refused(made_up: ModuleType, tmp_path: Path) -> None:
    pair = made_up.gallery(tmp_path / "h.npz", 1, 0.1), made_up.gallery(tmp_path / "v.npz", 3, 0.1)
    with pytest.raises(MixedResultsError, match="different test images"):
        gallery.load_panels(made_up.summary(("mnist",)), [("mnist", *pair)])


def test_a_gallery_of_an_unknown_dataset_is_a_data_error(made_up: ModuleType) -> None:
    with pytest.raises(DataError, match="celeba"):
        gallery.load_panels(made_up.summary(("mnist",)), [("celeba", None, None)])


def test_psnr_of_a_gallery_in_decibels() -> None:
    one = np.zeros((2, 1, 8, 8), np.uint8)
    assert galleries.Gallery(one, one + 51).psnr() == pytest.approx(-20 * np.log10(0.2))
    assert np.isinf(galleries.Gallery(one, one).psnr())


def test_shows_the_first_seed_and_the_smallest_beta_r(
    assessed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []

    def load(path: Path) -> Any:
        loaded.append(path)
        return galleries.load_gallery(path)

    monkeypatch.setattr(gallery, "load_gallery", load)
    written = gallery.write(
        assessed(("mnist",), 2, (1.0, 3.0), ("softmax", "logits")), place(gallery, tmp_path / "out")
    )
    assert [path.name for path in written] == ["gallery.pdf", "gallery.png", "gallery.md"]
    assert [path.parent.parent.name for path in loaded] == ["honest--0", "vicious-logits-1"]
    assert {path.parent.name for path in loaded} == {"seed0"}
    text = written[2].read_text(encoding="utf-8")
    for part in ("Outputs: logits.", "β_R = 1.", "Seed shown: 0, the first of 2."):
        assert part in text


def test_draws_failures(assessed: Any, tmp_path: Path) -> None:
    files = assessed(("cifar10", "mnist"), failed=(("mnist", "vicious", 0),), synthetic=("cifar10",))
    _, _, text = gallery.write(files, place(gallery, tmp_path / "out"))
    told = text.read_text(encoding="utf-8")
    assert "- MNIST (vicious): no gallery" in told
    assert "synthetic stand-in (CIFAR-10)" in told
