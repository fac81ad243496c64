"""Figure 3 shows every model's score, and which have none."""

import pytest
from matplotlib.text import Text
from PIL import Image

from vicious.report import figure3, style
from vicious.system.errors import DataError


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_files_have_the_same_bytes_twice(made_up, tmp_path):
    made_up.summary(("mnist",)).to_csv(tmp_path / "main.csv", index=False)
    made_up.detection(("mnist",)).to_csv(tmp_path / "detection.csv", index=False)
    inputs = tmp_path / "main.csv", tmp_path / "detection.csv"
    one, two = (figure3.write(*inputs, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in one] == [f"figure3{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        # One number of user images needs one column only.
        assert image.width == round(style.SINGLE * style.DPI)


def test_all_text_is_legible_and_inside(made_up):
    frame = made_up.summary(made_up.ALL, synthetic=("cifar100", "celeba"))
    drawn = figure3.figure3(frame, made_up.detection(made_up.ALL, (50, 200)))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    assert sum(bool(text.get_text()) for text in drawn.axes[0].texts) == len(made_up.ALL)


def test_each_number_of_user_images_has_a_panel(made_up):
    failed = (("mnist", "vicious", 0), *(("cifar10", "vicious", seed) for seed in range(3)))
    scores = made_up.detection(numbers=(10, 1000), failed=failed)
    drawn = figure3.figure3(made_up.summary(synthetic=("mnist",)), scores)
    words = _words(drawn)
    assert len(drawn.axes) == 2
    for part in ("n = 10 user images", "n = 1,000 user images", "n = 2; 1 failed", "3 failed", "MNIST (synthetic"):
        assert part in words


def test_a_point_is_the_mean_over_draws(made_up):
    scores = made_up.detection(("mnist",))
    honest = scores.loc[(scores["role"] == "honest") & (scores["seed"] == 1), "score"]
    model = figure3.rows(scores)[0].models[1]
    assert model == figure3.Model(honest.mean(), honest.min(), honest.max())


@pytest.mark.parametrize("outputs", [("logits",), ("softmax",)])
def test_hollow_markers_are_explained_where_there_are_any(made_up, outputs):
    scores = made_up.detection(("mnist",), outputs=outputs)
    scores.loc[scores["role"] == "honest", "outputs"] = ""
    words = _words(figure3.figure3(made_up.summary(("mnist",)), scores))
    assert ("hollow" in words) == (outputs == ("softmax",))


def test_detectors_that_there_are_are_named(made_up):
    with pytest.raises(DataError, match="linear_decodability"):
        figure3.figure3(made_up.summary(), made_up.detection(), "entropy")


def test_caption_explains_no_accuracy(made_up):
    assert "ccuracy" not in figure3.caption(made_up.summary(("celeba",)), made_up.detection(("celeba",)))


def test_another_detector_is_drawn_where_the_usual_one_was_not_asked_for(made_up, tmp_path):
    made_up.summary(("mnist",)).to_csv(tmp_path / "main.csv", index=False)
    scores = made_up.detection(("mnist",)).assign(detector="entropy")
    scores.to_csv(tmp_path / "detection.csv", index=False)
    *_, text = figure3.write(tmp_path / "main.csv", tmp_path / "detection.csv", tmp_path)
    assert "detector entropy" in text.read_text(encoding="utf-8")
