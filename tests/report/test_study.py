"""From made-up assessments through the project's own summaries to files."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from legible import all_words
from matplotlib.text import Text
from PIL import Image
from placed import place
from report.made_up_study import ALL, AUTOENCODER, HONEST, STRONGER, VICIOUS, all_seeds, texts

from vicious.report import style
from vicious.report.figures import risk_distributions
from vicious.report.tables import shortcuts_table
from vicious.system.errors import DataError


def test_everything_is_written_with_the_same_bytes_twice(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",))
    one, two = (case.write(tmp_path / name) for name in ("a b", "c"))
    names: tuple[str, ...] = ("estimators_table", "shortcuts_table")
    expected = [f"{name}{end}" for name in names for end in (".csv", ".md", ".tex")]
    names = ("risk_profile", "estimator_agreement", "risk_distributions")
    expected += [f"{name}{end}" for name in names for end in (".pdf", ".png", ".md")]
    assert [path.name for path in one] == expected
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted(expected)
    with Image.open(tmp_path / "c/risk_profile.png") as image:
        assert image.width == round(style.SINGLE * style.DPI)


def test_six_datasets_with_failures_fill_the_page_and_tell_all(study: Any, tmp_path: Path) -> None:
    case = study(tasks=ALL, failed=[*all_seeds(("cifar10", VICIOUS)), ("mnist", HONEST, 1)], synthetic=("celeba",))
    for path in case.write(tmp_path / "out"):
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width == round(style.DOUBLE * style.DPI)
                assert image.height < 9 * style.DPI
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            assert "synthetic stand-in (CelebA)" in text
            assert "CIFAR-10, vicious (logits, β_R = 1), seed 0, 1, 2: loss is not finite" in text
    for drawn in case.figures:
        words = all_words(drawn)
        assert "Failed: MNIST, honest (logits): 1 of 3 seeds" in words
        assert "synthetic" in words


@pytest.mark.parametrize(
    "options",
    [
        {"tasks": ALL, "failed": [*all_seeds(("cifar10", VICIOUS)), ("mnist", HONEST, 1)], "synthetic": ("celeba",)},
        {"tasks": ("mnist",), "failed": all_seeds(("mnist", VICIOUS))},
        {"tasks": ALL, "seeds": 1, "synthetic": ALL, "models": (HONEST, VICIOUS, STRONGER, AUTOENCODER)},
    ],
)
def test_all_text_is_legible_inside_and_apart(study: Any, options: Any) -> None:
    for drawn in study(**options).figures:
        drawn.draw_without_rendering()
        shown = [text for text in drawn.findobj(Text) if text.get_text() and text.get_visible()]
        assert min(text.get_fontsize() for text in shown) >= style.SMALL
        inside = []
        for text in shown:
            box = text.get_window_extent()
            if box.width > 1 and not _beyond(text, box):
                inside.append((text.get_text(), box))
        for name, box in inside:
            assert all(drawn.bbox.padded(1).contains(*corner) for corner in (box.min, box.max)), name
        for index, (name, box) in enumerate(inside):
            for other, beside in inside[:index]:
                assert not box.padded(-0.5).overlaps(beside), (name, other)


def _beyond(text: Any, box: Any) -> bool:
    """Whether it is the label of a tick that lies outside its axis, which is not drawn."""
    for ax in text.get_figure(root=True).axes:
        for axis, view in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if text in (tick.label1, tick.label2):
                    return not min(view) - 1e-9 <= tick.get_loc() <= max(view) + 1e-9
    return False


def test_without_any_result_all_is_still_drawn(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), failed=all_seeds(("mnist", HONEST), ("mnist", VICIOUS), ("mnist", AUTOENCODER)))
    case.write(tmp_path / "out")
    assert "failed" in (tmp_path / "out/estimators_table.md").read_text(encoding="utf-8")
    for drawn in case.figures:
        assert "Failed" in all_words(drawn)


def test_one_seed_has_no_spread_and_says_so(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), seeds=1)
    case.write(tmp_path / "out")
    for path in (tmp_path / "out").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert "Seeds per model: 1" in text
        assert " ± 0." not in text
    assert "Curves: n = 1 seed;" in (tmp_path / "out/risk_profile.md").read_text(encoding="utf-8")


def test_captions_say_which_r_it_is(study: Any) -> None:
    case = study(tasks=("mnist",), seeds=1)
    assert "R is the published R." in texts(case)["risk_distributions"]
    told = texts(case, lambda summary: summary.assign(estimator="ridge 0.01"))
    assert "R is R under ridge 0.01, not the published one." in told["risk_distributions"]
    # These show the published R whatever R is elsewhere.
    for name in ("estimators_table", "risk_profile", "estimator_agreement"):
        assert "R of other tables and figures: R under ridge 0.01, not the published one." in told[name]
        assert "other tables" not in texts(case)[name]
    assert "published" not in all_words(case.figures[2])


def test_captions_explain_no_accuracy_and_warn_of_too_few_images(study: Any) -> None:
    case = study(tasks=("celeba",), seeds=1)
    few = texts(case, lambda summary: summary.assign(covariance_images=1024))
    for name, text in texts(case).items():
        assert "mean over attributes" not in text
        assert "images than there are pixels" not in text
        assert ("CelebA: the covariance comes from no more images than there are pixels" in few[name]) == (
            name != "shortcuts_table"
        )


# Table 5


# Table 8


# Figures


def test_a_damaged_table_of_images_is_told(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), seeds=1, own=True)
    parquet = case.files[0].with_suffix(".parquet")
    pd.read_parquet(parquet).iloc[1:].to_parquet(parquet)
    for module in (shortcuts_table, risk_distributions):
        with pytest.raises(DataError, match="259 test images"):
            module.write(case.files, place(module, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
