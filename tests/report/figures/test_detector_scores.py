"""Every model's score, and which have none."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from legible import all_words
from matplotlib.text import Text
from PIL import Image
from placed import place

from vicious.report import style
from vicious.report.figures import detector_scores
from vicious.system.errors import DataError


def test_files_have_the_same_bytes_twice(made_up: ModuleType, tmp_path: Path) -> None:
    made_up.summary(("mnist",)).to_csv(tmp_path / "main.csv", index=False)
    made_up.detection(("mnist",)).to_csv(tmp_path / "detection.csv", index=False)
    inputs = tmp_path / "main.csv", tmp_path / "detection.csv"
    one, two = (detector_scores.write(*inputs, place(detector_scores, tmp_path / name)) for name in ("a", "b"))
    assert [path.name for path in one] == [f"detector_scores{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        # One number of user images needs one column only.
        assert image.width == round(style.SINGLE * style.DPI)


def test_all_text_is_legible_and_inside(made_up: ModuleType) -> None:
    frame = made_up.summary(made_up.ALL, synthetic=("cifar100", "celeba"))
    drawn = detector_scores.draw(frame, made_up.detection(made_up.ALL, (50, 200)))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    assert sum(bool(text.get_text()) for text in drawn.axes[0].texts) == len(made_up.ALL)


def test_each_number_of_user_images_has_a_panel(made_up: ModuleType) -> None:
    failed = (("mnist", "vicious", 0), *(("cifar10", "vicious", seed) for seed in range(3)))
    scores = made_up.detection(numbers=(10, 1000), failed=failed)
    drawn = detector_scores.draw(made_up.summary(synthetic=("mnist",)), scores)
    words = all_words(drawn)
    assert len(drawn.axes) == 2
    for part in ("n = 10 user images", "n = 1,000 user images", "n = 2; 1 failed", "3 failed", "MNIST (synthetic"):
        assert part in words


def test_a_point_is_the_mean_over_draws_and_a_line_their_range(made_up: ModuleType) -> None:
    scores = made_up.detection(("mnist",))
    (ax,) = detector_scores.draw(made_up.summary(("mnist",)), scores).axes
    honest = scores.loc[scores["role"] == "honest"].groupby("seed")["score"].agg(["mean", "min", "max"])
    drawn = [line for line in ax.lines if line.get_color() == style.COLOURS["honest"]]
    points = sorted(float(np.asarray(line.get_xdata())[0]) for line in drawn if line.get_marker() == "o")
    assert points == pytest.approx(sorted(honest["mean"]))
    ranges = sorted(tuple(np.asarray(line.get_xdata())) for line in drawn if len(np.asarray(line.get_xdata())) == 2)
    assert ranges == [pytest.approx(ends) for ends in sorted(zip(honest["min"], honest["max"], strict=True))]


@pytest.mark.parametrize("outputs", [("logits",), ("softmax",)])
def test_hollow_markers_are_explained_where_there_are_any(made_up: ModuleType, outputs: Any) -> None:
    scores = made_up.detection(("mnist",), outputs=outputs)
    scores.loc[scores["role"] == "honest", "outputs"] = ""
    words = all_words(detector_scores.draw(made_up.summary(("mnist",)), scores))
    assert ("hollow" in words) == (outputs == ("softmax",))


def test_detectors_that_there_are_are_named(made_up: ModuleType) -> None:
    with pytest.raises(DataError, match="linear_decodability"):
        detector_scores.draw(made_up.summary(), made_up.detection(), "entropy")


def test_caption_explains_no_accuracy(made_up: ModuleType) -> None:
    assert "ccuracy" not in str(detector_scores.text(made_up.summary(("celeba",)), made_up.detection(("celeba",))))


def test_another_detector_is_drawn_where_the_usual_one_was_not_asked_for(made_up: ModuleType, tmp_path: Path) -> None:
    made_up.summary(("mnist",)).to_csv(tmp_path / "main.csv", index=False)
    scores = made_up.detection(("mnist",)).assign(detector="entropy")
    scores.to_csv(tmp_path / "detection.csv", index=False)
    *_, text = detector_scores.write(
        tmp_path / "main.csv", tmp_path / "detection.csv", place(detector_scores, tmp_path)
    )
    assert "detector entropy" in text.read_text(encoding="utf-8")
