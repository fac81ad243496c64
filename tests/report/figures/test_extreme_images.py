"""The images at most and least risk."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from legible import all_words, check_legible
from PIL import Image
from placed import place
from report.made_up_assessments import IMAGES

from vicious.report import galleries, style
from vicious.report.figures import extreme_images, gallery
from vicious.report.headline import headline
from vicious.results.assessments import read_assessments
from vicious.system.errors import DataError


def test_of_six_tasks_is_legible_and_tells_failures(made_up: ModuleType, assessed: Any, tmp_path: Path) -> None:
    files = assessed(made_up.ALL, failed=(("cifar100", "vicious", 0),), synthetic=("celeba",), images=8)
    pdf, png, text = extreme_images.write(files, place(extreme_images, tmp_path / "out"))
    assert pdf.read_bytes().startswith(b"%PDF")
    with Image.open(png) as image:
        assert image.width == round(style.DOUBLE * style.DPI)
        assert image.height < 9 * style.DPI
    told = text.read_text(encoding="utf-8")
    assert "- CIFAR-100: no gallery" in told
    assert "synthetic stand-in (CelebA)" in told
    shown = galleries.read_galleries(files)
    shown = headline(shown.loc[shown["role"] == "vicious"])
    figure = extreme_images.draw(extreme_images.load_rows(shown))
    check_legible(figure)
    words = all_words(figure)
    assert words.count("failed") == 4
    assert "CelebA (synthetic stand-in): highest" in words
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [f"2.0{index}" for index in range(8)]


def test_draws_the_highest_r95_left_and_the_lowest_right(assessed: Any) -> None:
    (file,) = [file for file in assessed() if "vicious" in file.parent.parent.name]
    path = read_assessments([file])[0].gallery
    greys = {
        "highest_originals": 10,
        "highest_reconstructions": 60,
        "lowest_originals": 110,
        "lowest_reconstructions": 160,
    }
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, **parts | {name: np.full_like(parts[name], grey) for name, grey in greys.items()})
    figure = extreme_images.draw(extreme_images.load_rows(galleries.read_galleries([file])))
    shown = list(greys.values())
    for ax, end, risk95, expected in zip(
        figure.axes, ("highest", "lowest"), ("2.0", "0.8"), (shown[:2], shown[2:]), strict=True
    ):
        assert ax.get_title() == f"MNIST: {end} {style.RISK95}"
        assert [label.get_text() for label in ax.get_xticklabels()] == [f"{risk95}{index}" for index in range(IMAGES)]
        image = np.asarray(ax.images[0].get_array())
        assert [image[round(at), 0, 0] for at in ax.get_yticks()] == expected
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["original", "reconstruction"]


def test_says_once_that_all_data_are_stand_ins(assessed: Any) -> None:
    shown = galleries.read_galleries(assessed(synthetic=("mnist",)))
    figure = extreme_images.draw(extreme_images.load_rows(shown.loc[shown["role"] == "vicious"]))
    check_legible(figure)
    assert all_words(figure).count("synthetic") == 1


def test_needs_a_vicious_model(assessed: Any, tmp_path: Path) -> None:
    files = [file for file in assessed() if "vicious" not in file.parent.parent.name]
    with pytest.raises(DataError, match="no vicious model"):
        extreme_images.write(files, place(extreme_images, tmp_path / "out"))


def test_the_seed_shown_is_named_and_no_accuracy(assessed: Any, tmp_path: Path) -> None:
    files = assessed(("celeba",), seeds=3)
    for figure in (gallery, extreme_images):
        text = figure.write(files, place(figure, tmp_path / "out"))[2].read_text(encoding="utf-8")
        assert "Seed shown: 0, the first of 3." in text
        assert "ccuracy" not in text
