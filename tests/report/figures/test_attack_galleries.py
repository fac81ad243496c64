"""Galleries of each task: rows in order, failures, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import all_words, check_legible
from placed import place

from vicious.report import style
from vicious.report.figures import attack_galleries
from vicious.results.assessments import read_assessments
from vicious.system.errors import DataError, MixedResultsError


def test_has_files_for_each_task_and_kind_of_outputs_with_the_same_bytes_twice(assessed: Any, tmp_path: Path) -> None:
    files = [*assessed(("mnist",), outputs=("logits", "softmax")), *assessed(("celeba-k5",))]
    one, two = (attack_galleries.write(files, place(attack_galleries, tmp_path / name)) for name in ("a", "b"))
    stems = ["attack_galleries_mnist_logits", "attack_galleries_mnist_softmax", "attack_galleries_celeba-k5_logits"]
    assert [path.name for path in one] == [f"{stem}{end}" for stem in stems for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def _rows(files: Any, names: Any = ("one", "two", "three")) -> list[Any]:
    return [(name, read_assessments([file])[0].gallery) for name, file in zip(names, files, strict=False)]


def test_orders_rows_by_growing_beta_r(assessed: Any, tmp_path: Path) -> None:
    files = assessed(betas=(3.0, 1.0))
    drawn: list[Any] = []
    original = attack_galleries.draw

    def draw(*args: Any) -> Any:
        drawn.append(args)
        return original(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attack_galleries, "draw", draw)
        attack_galleries.write(files, place(attack_galleries, tmp_path / "out"))
    names = [row.label for row in drawn[0][3]]
    assert names == ["honest, post-hoc", "vicious, beta_R = 1", "vicious, beta_R = 3", "autoencoder"]


@pytest.mark.parametrize("images", [1, 4, 10, 12])
def test_is_legible_and_tells_psnr_and_r95_of_the_images_shown(assessed: Any, images: int) -> None:
    rows = attack_galleries.load_rows("mnist", _rows(assessed(images=images)))
    shown: Any = rows[0].gallery
    assert len(shown.originals) == min(images, attack_galleries.MAX_IMAGES)
    assert list(shown.risk95) == list(range(len(shown.originals)))
    figure = attack_galleries.draw("mnist", "synthetic", "logits", rows)
    check_legible(figure)
    words = all_words(figure)
    difference = (shown.originals.astype(float) - shown.reconstructions) / 255
    psnr = np.mean(-10 * np.log10((difference**2).mean(axis=(1, 2, 3))))
    assert f"{psnr:.1f} dB, $R_{{95}}$ = {np.mean(shown.risk95):.2f}" in words
    assert "MNIST (synthetic stand-in)" in words
    width = style.SINGLE if images <= 4 else style.DOUBLE
    assert figure.get_size_inches()[0] == width


def test_without_tables_of_single_images_tells_psnr_alone(assessed: Any) -> None:
    files = assessed()
    for file in files:
        file.with_suffix(".parquet").unlink()
    rows = attack_galleries.load_rows("mnist", _rows(files))
    assert "R_" not in all_words(attack_galleries.draw("mnist", "official", "logits", rows))
    assert "R95" not in str(attack_galleries.text("mnist", "official", "logits", rows))


@pytest.mark.parametrize("failed", [("vicious",), ("honest", "vicious", "autoencoder")])
def test_draws_failed_rows(assessed: Any, tmp_path: Path, failed: Any) -> None:
    files = assessed(failed=tuple(("mnist", role, 0) for role in failed))
    rows = attack_galleries.load_rows("mnist", [*_rows(files), ("missing", tmp_path / "none.npz"), ("none", None)])
    figure = attack_galleries.draw("mnist", "official", "logits", rows)
    check_legible(figure)
    # The originals are missing too where nothing succeeded.
    assert all_words(figure).count("failed") == len(failed) + 2 + (len(failed) == 3)
    text = attack_galleries.text("mnist", "official", "logits", rows)
    assert text.failed[-2:] == ["missing: no gallery", "none: no gallery"]


def test_has_a_caption_that_reads_as_it_stands(assessed: Any, tmp_path: Path) -> None:
    *_, text = attack_galleries.write(assessed(("celeba-k5",)), place(attack_galleries, tmp_path))
    words = text.read_text(encoding="utf-8")
    assert words.startswith("**Figure 4, CelebA, 5 attributes, logits.** CelebA, 5 attributes: the first 4 test images")


def test_refuses_galleries_of_different_images(assessed: Any) -> None:
    files = [assessed(("mnist",))[0], assessed(("fashion_mnist",), images=3)[1]]
    with pytest.raises(MixedResultsError, match="one and two"):
        attack_galleries.load_rows("mnist", _rows(files))


def test_needs_a_row() -> None:
    with pytest.raises(DataError, match="no gallery of mnist"):
        attack_galleries.load_rows("mnist", [])


def test_refuses_a_damaged_table(assessed: Any) -> None:
    files = assessed()
    files[0].with_suffix(".parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"risk-posthoc-logits\.parquet.*run `snakemake` again"):
        attack_galleries.load_rows("mnist", _rows(files))


def test_refuses_a_table_of_fewer_images(assessed: Any) -> None:
    files = assessed()
    pd.DataFrame({"risk95": [1.0]}).to_parquet(files[0].with_suffix(".parquet"))
    with pytest.raises(DataError, match="fewer test images"):
        attack_galleries.load_rows("mnist", _rows(files))
