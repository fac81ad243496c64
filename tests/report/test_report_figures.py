"""Figure 1 shows what there is and what failed; no figure needs a display or the training library."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.text import Text

from vicious.report import figure1
from vicious.system.errors import DataError, MixedResultsError


@pytest.fixture
def galleries(made_up, tmp_path):
    """Writes the galleries of some datasets, without the vicious one of those ``missing``; returns their paths."""

    def write(datasets, missing=()):
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


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_a_missing_gallery_is_drawn_as_failed(made_up, galleries):
    frame = made_up.summary(("mnist", "cifar10"), synthetic=("cifar10",))
    panels = figure1.load_panels(frame, galleries(("mnist", "cifar10"), missing=("mnist",)))
    words = _words(figure1.figure1(panels))
    assert "failed" in words
    assert "CIFAR-10 (synthetic stand-in)" in words
    assert "MNIST (vicious)" in figure1.caption(frame, panels)


def test_each_strip_is_that_of_its_label():
    original, honest, vicious = (np.full((2, 1, 32, 32), grey, np.uint8) for grey in (0, 51, 102))
    panel = figure1.Panel("mnist", "official", figure1.Gallery(original, honest), figure1.Gallery(original, vicious))
    (ax,) = figure1.figure1([panel]).axes
    assert ax.get_title() == "MNIST"
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "original",
        f"post-hoc\non honest\n{-20 * np.log10(0.2):.1f} dB",
        f"vicious\n{-20 * np.log10(0.4):.1f} dB",
    ]
    image = np.asarray(ax.images[0].get_array())
    assert [image[round(at), 0, 0] for at in ax.get_yticks()] == [0, 51, 102]


def test_an_empty_gallery_is_a_failure(tmp_path):
    empty = np.zeros((0, 1, 32, 32), np.uint8)
    np.savez(tmp_path / "g.npz", originals=empty, reconstructions=empty, labels=np.zeros(0))
    assert figure1.load_gallery(tmp_path / "g.npz") is None


def test_a_damaged_gallery_is_a_data_error(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 not a zip")
    np.savez(tmp_path / "float.npz", originals=np.zeros((2, 1, 8, 8)), reconstructions=np.zeros((2, 1, 8, 8)))
    np.savez(tmp_path / "less.npz", originals=np.zeros((2, 1, 8, 8), np.uint8))
    for name in ("bad", "float", "less"):
        with pytest.raises(DataError, match=name):
            figure1.load_gallery(tmp_path / f"{name}.npz")


def test_galleries_of_different_images_are_refused(made_up, tmp_path):
    pair = made_up.gallery(tmp_path / "h.npz", 1, 0.1), made_up.gallery(tmp_path / "v.npz", 3, 0.1)
    with pytest.raises(MixedResultsError, match="different test images"):
        figure1.load_panels(made_up.summary(("mnist",)), [("mnist", *pair)])


def test_a_gallery_of_an_unknown_dataset_is_a_data_error(made_up):
    with pytest.raises(DataError, match="celeba"):
        figure1.load_panels(made_up.summary(("mnist",)), [("celeba", None, None)])


def test_psnr_of_a_gallery_in_decibels():
    one = np.zeros((2, 1, 8, 8), np.uint8)
    assert figure1.Gallery(one, one + 51).psnr() == pytest.approx(-20 * np.log10(0.2))
    assert np.isinf(figure1.Gallery(one, one).psnr())


def test_neither_torch_nor_windows_are_loaded():
    code = (
        "import importlib, sys; from vicious.report.products import PRODUCTS; "
        "[importlib.import_module(f'vicious.report.{name}') for name in PRODUCTS]; "
        "sys.exit(' '.join(set(sys.modules) & {'torch', 'matplotlib.pyplot', 'tkinter'}) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
