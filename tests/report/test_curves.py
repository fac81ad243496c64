"""Curves draw the means of the summary, keep failures, and are legible."""

from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from legible import all_words
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image
from placed import place

from vicious.report import curves, style
from vicious.report.figures import attribute_sets_curves, class_counts_curves, merged_classes_curves, tradeoff_curves
from vicious.system.errors import DataError

BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)
SETS = ("celeba-k1", "celeba-k5", "celeba-k20", "celeba")
COUNTS = ("cifar100-classes10", "cifar100", "tiny_imagenet-classes20", "tiny_imagenet-classes50", "tiny_imagenet")
TRADEOFF, SUBSETS, CLASSES = (
    module.SUBJECT for module in (tradeoff_curves, attribute_sets_curves, class_counts_curves)
)
CASES = {
    tradeoff_curves: (("mnist", "cifar10"), {"betas": BETAS}),
    attribute_sets_curves: (SETS, {}),
    class_counts_curves: (COUNTS, {}),
    merged_classes_curves: (("mnist-merged2", "mnist-merged5", "mnist"), {}),
}


def _lines(ax: Any, role: str) -> list[Any]:
    """The curves of a role: lines that are no reference, no bar and no cross."""
    return [line for line in ax.lines if line.get_marker() == style.MARKERS[role] and len(line.get_xdata())]


def _crosses(ax: Any) -> list[Any]:
    return [(float(x), line.get_color()) for line in ax.lines if line.get_marker() == "x" for x in line.get_xdata()]


def _failed(frame: Any, **key: Any) -> Any:
    """The summary with some rows failed."""
    chosen = np.logical_and.reduce([frame[name] == value for name, value in key.items()])
    frame.loc[chosen, ["status", "reason"]] = ["failed", "loss is not finite"]
    frame.loc[chosen, ["n", "accuracy", "mse", "psnr", "ssim", "risk", "risk95"]] = np.nan
    return frame


@pytest.mark.parametrize(("column", "measure"), [*enumerate(("accuracy", "psnr", "ssim", "risk", "risk95"))])
def test_points_are_means_over_seeds(made_up: ModuleType, column: Any, measure: Any) -> None:
    frame = made_up.summary(COUNTS)
    drawn = curves.draw(CLASSES, frame)
    scale = 100 if measure == "accuracy" else 1
    for row, dataset in enumerate(("cifar100", "tiny_imagenet")):
        ax = drawn.axes[5 * row + column]
        for role in ("honest", "vicious"):
            chosen = frame.loc[(frame["dataset"] == dataset) & (frame["role"] == role)]
            expected = scale * chosen.groupby("k")[measure].mean()
            (line,) = _lines(ax, role)
            assert list(line.get_xdata()) == list(expected.index)
            np.testing.assert_allclose(line.get_ydata(), expected.to_numpy())


def test_bars_are_standard_deviations(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",), betas=BETAS)
    ax = curves.draw(TRADEOFF, frame).axes[1]
    expected = frame.loc[frame["role"] == "vicious"].groupby("beta_r")["psnr"].agg(["mean", "std"])
    (drawn,) = ax.collections
    assert isinstance(drawn, LineCollection)
    bars = drawn.get_segments()
    np.testing.assert_allclose([bar[1][1] - bar[0][1] for bar in bars], 2 * expected["std"])
    np.testing.assert_allclose([bar[0][0] for bar in bars], list(expected.index))


def test_honest_models_are_a_level_with_its_spread_in_the_tradeoff(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",), betas=BETAS)
    ax = curves.draw(TRADEOFF, frame).axes[1]
    psnr = frame.loc[frame["role"] == "honest", "psnr"]
    (level,) = [line for line in ax.lines if line.get_color() == style.COLOURS["honest"]]
    np.testing.assert_allclose(np.asarray(level.get_ydata()), psnr.mean())
    (band,) = ax.patches
    assert isinstance(band, Rectangle)
    assert band.get_y() == pytest.approx(psnr.mean() - psnr.std())
    assert band.get_height() == pytest.approx(2 * psnr.std())


@pytest.mark.parametrize("module", CASES)
def test_autoencoders_are_left_out(made_up: ModuleType, module: Any) -> None:
    tasks, options = CASES[module]
    drawn = curves.draw(module.SUBJECT, made_up.summary(tasks, autoencoder=("logits",), **options))
    assert style.COLOURS["autoencoder"] not in {line.get_color() for ax in drawn.axes for line in ax.lines}
    assert "autoencoder" not in all_words(drawn)


def test_a_point_without_results_is_a_cross_and_breaks_the_curve(made_up: ModuleType) -> None:
    frame = _failed(made_up.summary(("mnist",), betas=BETAS), beta_r=1.0)
    drawn = curves.draw(TRADEOFF, frame)
    for ax in drawn.axes:
        assert _crosses(ax) == [(1.0, style.COLOURS["vicious"])]
        assert [list(line.get_xdata()) for line in _lines(ax, "vicious")] == [[0.1, 0.3], [3.0, 10.0]]
    words = all_words(drawn)
    assert "3 of 3 seeds" in words
    assert "Failed: MNIST, vicious" in words
    caption = str(curves.text(TRADEOFF, frame))
    assert "A cross: no seed has a result." in caption
    assert "MNIST, vicious (logits, beta_R = 1), seed 0, 1, 2: loss is not finite" in caption


def test_a_failed_seed_is_named_without_a_cross(made_up: ModuleType) -> None:
    frame = made_up.summary(SETS, failed=(("celeba-k5", "honest", 1),))
    drawn = curves.draw(SUBSETS, frame)
    assert not any(_crosses(ax) for ax in drawn.axes)
    assert "Failed: CelebA, 5 attributes, honest (logits): 1 of 3 seeds" in all_words(drawn)
    assert "n = 2 to 3 seeds" in all_words(drawn)
    assert "A cross" not in str(curves.text(SUBSETS, frame))
    assert "seed 1: loss is not finite" in str(curves.text(SUBSETS, frame))


@pytest.mark.parametrize("role", ["honest", "vicious"])
@pytest.mark.parametrize("module", CASES)
def test_a_role_that_failed_throughout_is_drawn_as_failed(made_up: ModuleType, module: Any, role: str) -> None:
    tasks, options = CASES[module]
    frame = _failed(made_up.summary(tasks, **options), role=role)
    drawn = curves.draw(module.SUBJECT, frame)
    assert all({colour for _, colour in _crosses(ax)} == {style.COLOURS[role]} for ax in drawn.axes)


@pytest.mark.parametrize("module", CASES)
def test_nothing_but_failures_still_draws(made_up: ModuleType, module: Any) -> None:
    tasks, options = CASES[module]
    frame = _failed(made_up.summary(tasks, **options), attack="joint")
    drawn = curves.draw(module.SUBJECT, _failed(frame, attack="posthoc"))
    drawn.draw_without_rendering()
    assert "no seed succeeded" in all_words(drawn)
    assert all(not ax.get_yticklabels() for ax in drawn.axes)


def test_one_seed_has_no_bars_and_is_told(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",), seeds=1, betas=BETAS)
    drawn = curves.draw(TRADEOFF, frame)
    assert not any(ax.collections or ax.patches for ax in drawn.axes)
    assert "n = 1 seed" in all_words(drawn)
    assert "Seeds per model: 1." in str(curves.text(TRADEOFF, frame))


def test_kinds_of_outputs_are_told_apart(made_up: ModuleType) -> None:
    drawn = curves.draw(SUBSETS, made_up.summary(SETS, outputs=("logits", "softmax")))
    solid, dotted = _lines(drawn.axes[0], "vicious")
    assert solid.get_linestyle() != dotted.get_linestyle()
    assert solid.get_markerfacecolor() != dotted.get_markerfacecolor()
    assert "vicious (logits)" in all_words(drawn)
    assert "vicious (softmax)" in all_words(drawn)


@pytest.mark.parametrize(
    ("values", "numbered"),
    [
        ((0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0), ["0.1", "1", "10"]),
        ((10.0, 20.0, 50.0, 100.0), ["10", "20", "50", "100"]),
        ((10.0, 20.0, 50.0, 100.0, 200.0), ["10", "50", "200"]),
        ((5.0, 40.0), ["5", "40"]),
        ((3.0,), ["3"]),
    ],
)
def test_numbers_below_the_panels_are_values_and_apart(made_up: ModuleType, values: Any, numbered: Any) -> None:
    drawn = curves.draw(TRADEOFF, made_up.summary(("mnist",), betas=values))
    drawn.draw_without_rendering()
    for ax in drawn.axes:
        assert ax.get_xscale() == "log"
        labels = [text for text in ax.get_xticklabels() if text.get_text()]
        assert [text.get_text() for text in labels] == numbered
        boxes = [text.get_window_extent() for text in labels]
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


@pytest.mark.parametrize("synthetic", [(), ("cifar100", "celeba"), "all"])
def test_all_text_is_legible_inside_and_apart(made_up: ModuleType, synthetic: Any) -> None:
    failed = (*(("cifar10", "honest", seed) for seed in range(3)), ("mnist", "vicious", 1))
    chosen = made_up.ALL if synthetic == "all" else synthetic
    drawn = curves.draw(TRADEOFF, made_up.summary(made_up.ALL, betas=BETAS, failed=failed, synthetic=chosen))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    texts = [text for text in drawn.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(float(text.get_fontsize()) for text in texts) >= style.SMALL
    boxes = [ax.yaxis.label.get_window_extent() for ax in drawn.axes[::5]]
    assert not any(one.overlaps(two) for index, one in enumerate(boxes) for two in boxes[:index])
    words = all_words(drawn)
    assert (style.ALL_SYNTHETIC in words) == (synthetic == "all")
    assert words.count("stand-in)") == (0 if synthetic == "all" else len(synthetic))


def test_files_have_the_same_bytes_twice(made_up: ModuleType, tmp_path: Path) -> None:
    made_up.summary(SETS, failed=(("celeba", "vicious", 0),)).to_csv(tmp_path / "summary.csv", index=False)
    one, two = (
        attribute_sets_curves.write(tmp_path / "summary.csv", place(attribute_sets_curves, tmp_path / name))
        for name in ("a", "b")
    )
    assert [path.name for path in one] == [f"attribute_sets_curves{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@pytest.mark.parametrize(
    ("module", "tasks"), [(tradeoff_curves, ("mnist",)), (class_counts_curves, ("cifar100-classes20", "cifar100"))]
)
def test_files_fill_the_page_and_say_what_they_show(
    made_up: ModuleType, tmp_path: Path, module: Any, tasks: Any
) -> None:
    made_up.summary(tasks, synthetic=("cifar100",)).to_csv(tmp_path / "summary.csv", index=False)
    written = module.write(tmp_path / "summary.csv", place(module, tmp_path))
    with Image.open(written[1]) as image:
        assert image.width == round(style.DOUBLE * style.DPI)
    caption = written[2].read_text(encoding="utf-8")
    assert caption.startswith(f"**{place(module, tmp_path).label}.** Accuracy ")
    assert ("Data: synthetic stand-in." in caption) == (module is class_counts_curves)
    for part in (
        "the same number of training images",
        "not the same images",
        "Covariance and mean image are those of the whole",
    ):
        assert (part in caption) == (module is class_counts_curves)
    assert ("by the weight β_R" in caption) == (module is tradeoff_curves)


@pytest.mark.parametrize(("estimator", "published"), [("truncated 1.2e-07", True), ("ridge 0.01", False)])
@pytest.mark.parametrize("module", CASES)
def test_caption_says_which_r_it_is(made_up: ModuleType, module: Any, estimator: str, published: bool) -> None:
    caption = str(curves.text(module.SUBJECT, made_up.summary(("mnist",)).assign(estimator=estimator)))
    assert ("R is the published R." in caption) == published
    assert ("R is R under ridge 0.01, not the published one." in caption) == (not published)


@pytest.mark.parametrize("module", CASES)
def test_caption_explains_accuracies_and_warns_of_too_few_images(made_up: ModuleType, module: Any) -> None:
    frame = made_up.summary(("celeba",))
    assert "Accuracy on CelebA: mean over attributes." in str(curves.text(module.SUBJECT, frame))
    assert "images than there are pixels" not in str(curves.text(module.SUBJECT, frame))
    assert "CelebA: the covariance comes from no more images than there are pixels" in str(
        curves.text(module.SUBJECT, frame.assign(covariance_images=3000))
    )


def test_a_summary_without_a_column_is_a_data_error(made_up: ModuleType) -> None:
    with pytest.raises(DataError, match="ssim"):
        curves.draw(TRADEOFF, made_up.summary().drop(columns="ssim"))
