"""Figure 2 names every dataset, failure and stand-in, and is legible."""

import matplotlib
import pytest
from matplotlib.text import Text
from PIL import Image

from vicious.report import figure2, style


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_files_have_the_same_bytes_twice(made_up, tmp_path):
    made_up.summary(("mnist",), synthetic=("mnist",)).to_csv(tmp_path / "summary.csv", index=False)
    one, two = (figure2.write(tmp_path / "summary.csv", tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in one] == [f"figure2{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        assert image.width == round(style.DOUBLE * style.DPI)
    assert "Data: synthetic stand-in." in one[2].read_text(encoding="utf-8")


def test_figures_ignore_and_keep_the_users_settings(made_up):
    with matplotlib.rc_context({"font.size": 30.0, "text.color": "red"}):
        drawn = figure2.figure2(made_up.summary(("mnist",)))
        assert matplotlib.rcParams["font.size"] == 30.0
    assert max(text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()) <= 8


def test_all_text_is_legible_inside_and_apart(made_up):
    frame = made_up.summary(
        made_up.ALL, failed=(("mnist", "vicious", 0),), synthetic=("cifar100", "celeba"), autoencoder=("logits",)
    )
    drawn = figure2.figure2(frame)
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    for ax in drawn.axes:
        boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
        assert all(drawn.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
        assert not any(one.overlaps(two) for index, one in enumerate(boxes) for two in boxes[:index])
    assert sum(bool(text.get_text()) for text in drawn.axes[0].texts) == len(made_up.ALL)


def test_each_panel_draws_the_risk_that_it_names(made_up):
    frame = made_up.summary(("mnist",))
    drawn = figure2.figure2(frame)
    for ax, name, column in zip(drawn.axes, (style.RISK, style.RISK95), ("risk", "risk95"), strict=True):
        assert ax.get_xlabel().startswith(f"reconstruction risk {name}\n")
        for role in ("honest", "vicious"):
            rows = frame.loc[frame["role"] == role]
            (point,) = [line for line in ax.lines if line.get_marker() == style.MARKERS[role]]
            assert point.get_xdata() == pytest.approx([rows[column].mean()])
            assert point.get_ydata() == pytest.approx([100 * rows["accuracy"].mean()])


def test_failures_and_the_mean_image_are_named(made_up):
    failed = tuple(("cifar10", "vicious", seed) for seed in range(3))
    words = _words(figure2.figure2(made_up.summary(failed=failed, synthetic=("mnist",))))
    assert "Failed: CIFAR-10, vicious" in words
    assert "3 of 3 seeds" in words
    assert "mean image" in words
    assert "n = 3 seeds" in words
    assert "synthetic stand-in" in words


def test_it_draws_when_everything_failed(made_up):
    failed = tuple(("mnist", role, 0) for role in ("honest", "vicious"))
    assert "Failed" in _words(figure2.figure2(made_up.summary(("mnist",), seeds=1, failed=failed)))


def test_each_kind_of_outputs_has_a_line_of_panels(made_up):
    drawn = figure2.figure2(made_up.summary(("mnist",), betas=(1.0, 3.0), outputs=("logits", "softmax")))
    assert len(drawn.axes) == 4
    assert r"$\beta_R$ = 1" in _words(drawn)


@pytest.mark.parametrize("role", ["honest", "vicious"])
def test_the_legend_names_roles_that_there_are(made_up, role):
    frame = made_up.summary(("mnist",))
    (legend,) = figure2.figure2(frame.loc[frame["role"] == role]).legends
    labels = {"honest": "honest, post-hoc attack", "vicious": "vicious"}
    assert [text.get_text() for text in legend.get_texts()] == [labels[role], f"mean image ({style.RISK} = 1)"]


def test_it_says_once_that_all_data_are_stand_ins(made_up):
    drawn = figure2.figure2(made_up.summary(synthetic=("mnist", "cifar10")))
    assert any(style.ALL_SYNTHETIC in legend.get_title().get_text() for legend in drawn.legends)


def test_autoencoders_are_left_out_and_the_caption_says_so(made_up):
    failed = (("mnist", "autoencoder", 0),)
    frame = made_up.summary(("mnist",), autoencoder=("logits",), failed=failed)
    drawn = figure2.figure2(frame)
    assert style.COLOURS["autoencoder"] not in {line.get_color() for ax in drawn.axes for line in ax.lines}
    assert "utoencoder" not in _words(drawn)
    assert drawn.axes[0].get_xlim() == figure2.figure2(frame[frame["role"] != "autoencoder"]).axes[0].get_xlim()
    assert "Autoencoders have no accuracy and are left out" in figure2.caption(frame)
    assert "ailed" not in figure2.caption(frame)
    assert "Autoencoders" not in figure2.caption(made_up.summary(("mnist",)))


@pytest.mark.parametrize("tasks", [("celeba-k5", "celeba"), ("cifar100-classes10", "cifar100")])
def test_tasks_of_one_dataset_have_points_of_their_own(made_up, tasks):
    words = _words(figure2.figure2(made_up.summary(tasks)))
    assert ("CelebA, 5 attributes" in words) or ("CIFAR-100, 10 classes" in words)


@pytest.mark.parametrize(("estimator", "published"), [("truncated 1.2e-07", True), ("ridge 0.01", False)])
def test_caption_says_which_r_it_is(made_up, estimator, published):
    caption = figure2.caption(made_up.summary(("mnist",)).assign(estimator=estimator))
    assert ("Left: the published R;" in caption) == published
    assert ("Left: R under ridge 0.01, not the published one;" in caption) == (not published)


def test_caption_explains_accuracies_and_warns_of_too_few_images(made_up):
    frame = made_up.summary(("celeba",))
    assert "Accuracy on CelebA: mean over attributes." in figure2.caption(frame)
    assert "images than pixels" not in figure2.caption(frame)
    assert "CelebA: no more images than pixels" in figure2.caption(frame.assign(covariance_images=3000))
