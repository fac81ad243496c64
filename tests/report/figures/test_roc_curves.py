"""Figure 13: ROC curves over models."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from legible import all_words
from matplotlib.text import Text
from PIL import Image
from placed import place

from vicious.defense.evaluation.separation import auroc
from vicious.report import style
from vicious.report.figures import roc_curves
from vicious.system.errors import DataError, MixedResultsError


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_under_a_curve_is_the_auroc(ties: bool) -> None:
    generator = np.random.default_rng(0)
    honest, vicious = generator.normal(0, 1, 7), generator.normal(0.7, 1, 9)
    if ties:
        honest, vicious = honest.round(), vicious.round()
    x, y = roc_curves.roc(honest, vicious)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(auroc(honest, vicious))


def test_verdicts_are_on_models_trained_in_the_studys_own_way(servers: ModuleType) -> None:
    scores = servers.detection(("mnist",))
    curve = roc_curves.curves(scores)["mnist", 200, "own_decoder"]
    assert (len(curve.honest), len(curve.vicious), curve.failed) == (3 * 4, 6 * 4, 0)
    here = scores.loc[(scores["detector"] == "own_decoder") & (scores["n_user"] == 200)]
    one = here.loc[(here["role"] == "honest") & (here["recipe"] == "") & (here["seed"] == 1), "score"]
    assert curve.honest[4:8] == pytest.approx(one)


def test_all_text_is_legible_and_inside(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, made_up.ALL, synthetic=("cifar100", "celeba"))
    drawn = roc_curves.draw(summary, servers.detection(made_up.ALL, numbers=(10, 50, 200)))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    assert len(drawn.axes) == 18


def test_numbers_beside_the_curves_are_those_of_the_shown_detectors(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist",), numbers=(200,), detectors=("own_decoder", "entropy"))
    drawn = roc_curves.draw(servers.summary(made_up, ("mnist",)), scores)
    curve = roc_curves.curves(scores)["mnist", 200, "own_decoder"]
    assert [text.get_text() for text in drawn.axes[0].texts] == [f"{auroc(curve.honest, curve.vicious):.2f}"]
    assert "other detectors" in all_words(drawn)


def test_a_panel_without_both_kinds_says_so(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist", "cifar10"), numbers=(200,))
    scores = scores.loc[~((scores["dataset"] == "mnist") & (scores["role"] == "vicious"))]
    words = all_words(roc_curves.draw(servers.summary(made_up, ("mnist", "cifar10")), scores))
    assert "no vicious\nmodel has a score" in words
    assert "no honest" not in words


def test_models_without_a_score_are_told(made_up: ModuleType, servers: ModuleType) -> None:
    lost = [("mnist", "own_decoder", "honest", 0), *(("mnist", "effective_rank", "honest", seed) for seed in range(3))]
    scores, summary = servers.detection(("mnist",), failed=lost), servers.summary(made_up, ("mnist",))
    numbers = [text.get_text() for text in roc_curves.draw(summary, scores).axes[0].texts]
    assert "failed" in numbers
    assert sum(text.endswith("*") for text in numbers) == 1
    told = str(roc_curves.text(summary, scores))
    assert "failed verdicts by own decoder: 1 (MNIST)" in told
    assert "failed verdicts by effective rank: 3 (MNIST)" in told
    assert "Models, honest + vicious: 3 + 6." in told


def test_files_have_the_same_bytes_twice(made_up: ModuleType, servers: ModuleType, tmp_path: Path) -> None:
    servers.summary(made_up, ("mnist",), 1).to_csv(tmp_path / "defense.csv", index=False)
    servers.detection(("mnist",), 1, numbers=(200,)).to_csv(tmp_path / "detection.csv", index=False)
    inputs = tmp_path / "defense.csv", tmp_path / "detection.csv"
    one, two = (roc_curves.write(*inputs, place(roc_curves, tmp_path / name)) for name in ("a", "b"))
    assert [path.name for path in one] == [f"roc_curves{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        assert image.width == round(style.SINGLE * style.DPI)


def test_odd_inputs_are_refused(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist",))
    with pytest.raises(MixedResultsError, match="the summary has no mnist"):
        roc_curves.draw(servers.summary(made_up, ("cifar10",)), scores)
    with pytest.raises(DataError, match="no scores of honest or vicious models"):
        roc_curves.draw(servers.summary(made_up, ("mnist",)), scores.loc[scores["recipe"] != ""])
