"""Figures are drawn without a display, complete, legible and with the same bytes each time."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from vicious.errors import DataError, MixedResultsError
from vicious.report import commands, figure1, figure2, figure3, style


@pytest.fixture
def files(made_up, tmp_path):
    """Writes the inputs of one case; returns their paths."""

    def write(datasets, missing=(), **options):
        frame, scores = tmp_path / "summary.csv", tmp_path / "detection.csv"
        made_up.summary(datasets, **options).to_csv(frame, index=False)
        made_up.detection(datasets, **{k: v for k, v in options.items() if k != "synthetic"}).to_csv(
            scores, index=False
        )
        grey = ("mnist", "fashion_mnist")
        galleries = [
            (
                dataset,
                made_up.gallery(tmp_path / f"{dataset}_h.npz", 1 if dataset in grey else 3, 0.3),
                tmp_path / "none.npz"
                if dataset in missing
                else made_up.gallery(tmp_path / f"{dataset}_v.npz", 1 if dataset in grey else 3, 0.1),
            )
            for dataset in datasets
        ]
        return frame, scores, galleries

    return write


def _write_all(frame, scores, galleries, out):
    return [
        *commands.write_figure1(frame, galleries, out),
        *commands.write_figure2(frame, out),
        *commands.write_figure3(frame, scores, out),
    ]


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_one_dataset_gives_the_same_column_wide_files_twice(files, tmp_path):
    case = files(("mnist",))
    one, two = (_write_all(*case, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in one] == [f"figure{n}{end}" for n in (1, 2, 3) for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert len(list((tmp_path / "a").iterdir())) == 9
    for name in ("figure1.png", "figure3.png"):
        with Image.open(tmp_path / "a" / name) as image:
            assert image.width == round(style.SINGLE * style.DPI)


def test_six_datasets_with_failures_fill_the_page(made_up, files, tmp_path):
    case = files(
        made_up.ALL,
        missing=("cifar10",),
        failed=tuple(("cifar10", "vicious", seed) for seed in range(3)),
        synthetic=("celeba",),
    )
    written = _write_all(*case, tmp_path / "out")
    for path in written:
        assert path.stat().st_size > 200
        if path.suffix == ".png":
            with Image.open(path) as image:
                # One number of user images needs one column only.
                assert image.width == round((style.SINGLE if "figure3" in path.name else style.DOUBLE) * style.DPI)
                assert image.height < 9 * style.DPI
                assert np.asarray(image.convert("L")).std() > 5
        if path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF")
            assert b"CreationDate" not in path.read_bytes()
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            assert "synthetic stand-in (CelebA)" in text
            assert "ailed" in text or "Without a result: CIFAR-10, vicious" in text


def test_figures_ignore_and_keep_the_users_settings(made_up):
    with matplotlib.rc_context({"font.size": 30.0, "text.color": "red"}):
        drawn = figure2.figure2(made_up.summary(("mnist",)))
        assert matplotlib.rcParams["font.size"] == 30.0
    assert max(text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()) <= 8


def test_all_text_is_legible_inside_and_apart(made_up):
    frame = made_up.summary(made_up.ALL, failed=(("mnist", "vicious", 0),), synthetic=("cifar100", "celeba"))
    for drawn in (figure2.figure2(frame), figure3.figure3(frame, made_up.detection(made_up.ALL, (50, 200)))):
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


def test_figure_2_names_failures_and_the_mean_image(made_up):
    failed = tuple(("cifar10", "vicious", seed) for seed in range(3))
    words = _words(figure2.figure2(made_up.summary(failed=failed, synthetic=("mnist",))))
    assert "Failed: CIFAR-10, vicious" in words
    assert "3 of 3 seeds" in words
    assert "mean image" in words
    assert "n = 3 seeds" in words
    assert "synthetic stand-in" in words


def test_figure_2_draws_when_everything_failed(made_up):
    failed = tuple(("mnist", role, 0) for role in ("honest", "vicious"))
    assert "Failed" in _words(figure2.figure2(made_up.summary(("mnist",), seeds=1, failed=failed)))


def test_figure_2_has_a_line_of_panels_for_each_kind_of_outputs(made_up):
    frame = made_up.summary(("mnist",), betas=(1.0, 3.0), outputs=("logits", "softmax"))
    drawn = figure2.figure2(frame)
    assert len(drawn.axes) == 4
    assert r"$\beta_R$ = 1" in _words(drawn)


def test_figure_2_says_once_that_all_data_are_stand_ins(made_up):
    drawn = figure2.figure2(made_up.summary(synthetic=("mnist", "cifar10")))
    assert any(style.ALL_SYNTHETIC in legend.get_title().get_text() for legend in drawn.legends)


def test_figure_3_has_a_panel_for_each_number_of_user_images(made_up):
    failed = (("mnist", "vicious", 0), *(("cifar10", "vicious", seed) for seed in range(3)))
    scores = made_up.detection(numbers=(10, 1000), failed=failed)
    drawn = figure3.figure3(made_up.summary(synthetic=("mnist",)), scores)
    words = _words(drawn)
    assert len(drawn.axes) == 2
    for part in ("n = 10 user images", "n = 1,000 user images", "n = 2; 1 failed", "3 failed", "MNIST (synthetic"):
        assert part in words


def test_figure_3_averages_over_draws(made_up):
    scores = made_up.detection(("mnist",))
    honest = scores.loc[(scores["role"] == "honest") & (scores["seed"] == 1), "score"]
    model = figure3.rows(scores)[0].models[1]
    assert model == figure3.Model(honest.mean(), honest.min(), honest.max())


def test_figure_3_names_the_detectors_that_there_are(made_up):
    with pytest.raises(DataError, match="linear_decodability"):
        figure3.figure3(made_up.summary(), made_up.detection(), "entropy")


def test_a_missing_gallery_is_drawn_as_failed(made_up, files):
    _, _, galleries = files(("mnist", "cifar10"), missing=("mnist",))
    frame = made_up.summary(("mnist", "cifar10"), synthetic=("cifar10",))
    panels = figure1.load_panels(frame, galleries)
    words = _words(figure1.figure1(panels))
    assert "failed" in words
    assert "CIFAR-10 (synthetic stand-in)" in words
    assert "MNIST (vicious)" in figure1.caption(frame, panels)


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
        "import sys, vicious.report.commands; "
        "sys.exit(' '.join(set(sys.modules) & {'torch', 'matplotlib.pyplot', 'tkinter'}) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
