"""Figure 2 names every dataset, failure and stand-in, and is legible."""

from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import pytest
from legible import all_words
from matplotlib.text import Text
from PIL import Image
from placed import place

from vicious.report import style
from vicious.report.figures import accuracy_risk_plane


def test_files_have_the_same_bytes_twice(made_up: ModuleType, tmp_path: Path) -> None:
    made_up.summary(("mnist",), synthetic=("mnist",)).to_csv(tmp_path / "summary.csv", index=False)
    one, two = (
        accuracy_risk_plane.write(tmp_path / "summary.csv", place(accuracy_risk_plane, tmp_path / name))
        for name in ("a", "b")
    )
    assert [path.name for path in one] == [f"accuracy_risk_plane{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        assert image.width == round(style.DOUBLE * style.DPI)
    assert "Data: synthetic stand-in." in one[2].read_text(encoding="utf-8")


def test_figures_ignore_and_keep_the_users_settings(made_up: ModuleType) -> None:
    with matplotlib.rc_context({"font.size": 30.0, "text.color": "red"}):
        drawn = accuracy_risk_plane.draw(made_up.summary(("mnist",)))
        assert matplotlib.rcParams["font.size"] == 30.0
    assert max(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) <= 8


def test_all_text_is_legible_inside_and_apart(made_up: ModuleType) -> None:
    frame = made_up.summary(
        made_up.ALL, failed=(("mnist", "vicious", 0),), synthetic=("cifar100", "celeba"), autoencoder=("logits",)
    )
    drawn = accuracy_risk_plane.draw(frame)
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    for ax in drawn.axes:
        boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
        assert all(drawn.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
        assert not any(one.overlaps(two) for index, one in enumerate(boxes) for two in boxes[:index])
    assert sum(bool(text.get_text()) for text in drawn.axes[0].texts) == len(made_up.ALL)


def test_each_panel_draws_the_risk_that_it_names(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",))
    drawn = accuracy_risk_plane.draw(frame)
    for ax, name, column in zip(drawn.axes, (style.RISK, style.RISK95), ("risk", "risk95"), strict=True):
        assert ax.get_xlabel().startswith(f"reconstruction risk {name}\n")
        for role in ("honest", "vicious"):
            rows = frame.loc[frame["role"] == role]
            (point,) = [line for line in ax.lines if line.get_marker() == style.MARKERS[role]]
            assert point.get_xdata() == pytest.approx([rows[column].mean()])
            assert point.get_ydata() == pytest.approx([100 * rows["accuracy"].mean()])


def test_failures_and_the_mean_image_are_named(made_up: ModuleType) -> None:
    failed = tuple(("cifar10", "vicious", seed) for seed in range(3))
    words = all_words(accuracy_risk_plane.draw(made_up.summary(failed=failed, synthetic=("mnist",))))
    assert "Failed: CIFAR-10, vicious" in words
    assert "3 of 3 seeds" in words
    assert "mean image" in words
    assert "n = 3 seeds" in words
    assert "synthetic stand-in" in words


def test_it_draws_when_everything_failed(made_up: ModuleType) -> None:
    failed = tuple(("mnist", role, 0) for role in ("honest", "vicious"))
    assert "Failed" in all_words(accuracy_risk_plane.draw(made_up.summary(("mnist",), seeds=1, failed=failed)))


def test_each_kind_of_outputs_has_a_line_of_panels(made_up: ModuleType) -> None:
    drawn = accuracy_risk_plane.draw(made_up.summary(("mnist",), betas=(1.0, 3.0), outputs=("logits", "softmax")))
    assert len(drawn.axes) == 4
    assert r"$\beta_R$ = 1" in all_words(drawn)


@pytest.mark.parametrize("role", ["honest", "vicious"])
def test_the_legend_names_roles_that_there_are(made_up: ModuleType, role: str) -> None:
    frame = made_up.summary(("mnist",))
    (legend,) = accuracy_risk_plane.draw(frame.loc[frame["role"] == role]).legends
    labels = {"honest": "honest, post-hoc", "vicious": "vicious"}
    assert [text.get_text() for text in legend.get_texts()] == [labels[role], f"mean image ({style.RISK} = 1)"]


def test_it_says_once_that_all_data_are_stand_ins(made_up: ModuleType) -> None:
    drawn = accuracy_risk_plane.draw(made_up.summary(synthetic=("mnist", "cifar10")))
    assert any(style.ALL_SYNTHETIC in legend.get_title().get_text() for legend in drawn.legends)


def test_autoencoders_are_left_out_and_the_caption_says_so(made_up: ModuleType) -> None:
    failed = (("mnist", "autoencoder", 0),)
    frame = made_up.summary(("mnist",), autoencoder=("logits",), failed=failed)
    drawn = accuracy_risk_plane.draw(frame)
    assert style.COLOURS["autoencoder"] not in {line.get_color() for ax in drawn.axes for line in ax.lines}
    assert "utoencoder" not in all_words(drawn)
    assert (
        drawn.axes[0].get_xlim() == accuracy_risk_plane.draw(frame[frame["role"] != "autoencoder"]).axes[0].get_xlim()
    )
    assert "Autoencoders have no accuracy and are left out" in str(accuracy_risk_plane.text(frame))
    assert not accuracy_risk_plane.text(frame).failed
    assert "Autoencoders" not in str(accuracy_risk_plane.text(made_up.summary(("mnist",))))


@pytest.mark.parametrize("tasks", [("celeba-k5", "celeba"), ("cifar100-classes10", "cifar100")])
def test_tasks_of_one_dataset_have_points_of_their_own(made_up: ModuleType, tasks: Any) -> None:
    words = all_words(accuracy_risk_plane.draw(made_up.summary(tasks)))
    assert ("CelebA, 5 attributes" in words) or ("CIFAR-100, 10 classes" in words)


@pytest.mark.parametrize(("estimator", "published"), [("truncated 1.2e-07", True), ("ridge 0.01", False)])
def test_caption_says_which_r_it_is(made_up: ModuleType, estimator: str, published: bool) -> None:
    caption = str(accuracy_risk_plane.text(made_up.summary(("mnist",)).assign(estimator=estimator)))
    assert ("R is the published R." in caption) == published
    assert ("R is R under ridge 0.01, not the published one." in caption) == (not published)


def test_caption_explains_accuracies_and_warns_of_too_few_images(made_up: ModuleType) -> None:
    frame = made_up.summary(("celeba",))
    assert "Accuracy on CelebA: mean over attributes." in str(accuracy_risk_plane.text(frame))
    assert "images than there are pixels" not in str(accuracy_risk_plane.text(frame))
    assert "CelebA: the covariance comes from no more images than there are pixels" in str(
        accuracy_risk_plane.text(frame.assign(covariance_images=3000))
    )
