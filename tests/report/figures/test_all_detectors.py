"""Every detector's verdict on every model."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import all_words
from matplotlib.colors import to_rgba
from matplotlib.markers import MarkerStyle
from matplotlib.text import Text
from placed import place

from vicious.defense.evaluation.combined import combined
from vicious.report import style
from vicious.report.figures import all_detectors
from vicious.system.errors import MixedResultsError


@pytest.fixture
def many(servers: ModuleType) -> Callable[..., Any]:
    """Scores as many as those of the pilot."""

    def scores(datasets: Any, detectors: Any, seeds: Any, evasion: Any, recipes: Any) -> Any:
        weights = {"evasion": evasion, "distance": evasion, "both": evasion}
        found = servers.detection(datasets, seeds, numbers=(1000,), detectors=detectors, recipes=recipes, **weights)
        return pd.concat([found, combined(found)], ignore_index=True)

    return scores


def _dots(drawn: Any, ax: Any) -> dict[Any, Any]:
    """Places (m, 2) of all dots by group, in data coordinates; the layout of swarms is final once they are drawn."""
    drawn.draw_without_rendering()
    found: dict[Any, Any] = {}
    for dots in (part for part in ax.collections if len(part.get_offsets())):
        shown = dots.get_facecolor()[0], dots.get_edgecolor()[0]
        (group,) = [name for name, look in all_detectors.GROUPS.items() if _is(dots, shown, look)]
        found.setdefault(group, []).append(dots.get_offsets())
    return {group: np.vstack(parts) for group, parts in found.items()}


def _is(dots: Any, shown: Any, look: Any) -> bool:
    wanted = look.get("markerfacecolor", look["color"]), look["color"]
    marker = MarkerStyle(look["marker"])
    path = marker.get_path().transformed(marker.get_transform())
    same = np.array_equal(dots.get_paths()[0].vertices, path.vertices)
    return same and np.allclose(shown, [to_rgba(colour) for colour in wanted])


def test_each_model_has_a_z_score_for_each_detector(servers: ModuleType) -> None:
    scores = servers.detection(("mnist",), distance=(1.0,), both=(1.0,))
    found = all_detectors.models(scores, 200)
    counts = found.loc[found["detector"] == "entropy", "group"].value_counts().to_dict()
    assert counts == {
        "honest": 3,
        "other honest recipe": 1,
        "vicious": 6,
        "evading": 4,
        "hiding": 2,
    }
    here = scores.loc[(scores["detector"] == "entropy") & (scores["n_user"] == 200)]
    honest = here.loc[(here["role"] == "honest") & (here["recipe"] == ""), "score"]
    plain = here.loc[here["recipe"] == "plain", "score"]
    (z_score,) = found.loc[(found["detector"] == "entropy") & (found["recipe"] == "plain"), "z_score"]
    assert z_score == pytest.approx((plain.mean() - honest.mean()) / honest.std())


def test_a_code_that_is_hidden_and_evades_hides(servers: ModuleType) -> None:
    scores = servers.detection(("mnist",))
    scores.loc[scores["hidden"] == "folded", ["evades", "evasion"]] = ["linear_decodability", 1.0]
    found = all_detectors.models(scores, 200)
    assert set(found.loc[found["hidden"] == "folded", "group"]) == {"hiding"}


def test_every_model_is_a_dot_of_its_group(made_up: ModuleType, servers: ModuleType) -> None:
    names = ("celeba", "mnist")
    drawn = all_detectors.draw(servers.summary(made_up, names), servers.detection(names))
    found = all_detectors.models(servers.detection(names), 200)
    assert [ax.get_ylabel() for ax in drawn.axes] == ["MNIST", "CelebA"]
    for ax, dataset in zip(drawn.axes, ("mnist", "celeba"), strict=True):
        here = found.loc[found["dataset"] == dataset]
        dots = _dots(drawn, ax)
        assert dots.keys() == set(here["group"])
        for group, places in dots.items():
            assert sorted(places[:, 1]) == pytest.approx(sorted(here.loc[here["group"] == group, "z_score"]))


def test_groups_stand_side_by_side_within_their_column(made_up: ModuleType, many: Any) -> None:
    detectors = [f"detector_{number}" for number in range(11)]
    scores = many(("mnist", "cifar10"), detectors, 5, (0.1, 0.3, 1.0), ("plain", "wider", "deeper"))
    drawn = all_detectors.draw(made_up.summary(), scores)
    width = len(all_detectors.GROUPS) + 1
    for ax in drawn.axes:
        dots = _dots(drawn, ax)
        for index, group in enumerate(all_detectors.GROUPS):
            place = (dots[group][:, 0] - index + width / 2) % width - width / 2
            assert (np.abs(place) < 0.5).all()


@pytest.mark.parametrize(
    ("datasets", "detectors", "seeds", "evasion"),
    [(3, 11, 5, (0.1, 0.3, 1.0)), (6, 7, 1, (1.0,)), (1, 3, 1, ())],
)
def test_all_text_is_legible_and_inside(
    made_up: ModuleType, servers: ModuleType, many: Any, datasets: int, detectors: int, seeds: int, evasion: Any
) -> None:
    names = made_up.ALL[:datasets]
    scores = many(names, [f"detector_of_name_{number}" for number in range(detectors)], seeds, evasion, ("plain",))
    drawn = all_detectors.draw(servers.summary(made_up, names, synthetic=names[1:]), scores)
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    ticks = [text for text in drawn.axes[-1].get_xticklabels() if text.get_visible()]
    assert len(ticks) == detectors + (datasets > 1)
    boxes = [text.get_window_extent() for text in drawn.axes[0].texts]
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_caption_tells_what_a_dot_is(made_up: ModuleType, servers: ModuleType) -> None:
    names = ("mnist", "celeba")
    scores = servers.detection(names)
    told = str(all_detectors.text(servers.summary(made_up, names, synthetic=("celeba",)), scores))
    for part in (
        "the mean over 4 samples of n = 200 of the user's own images",
        "Other recipes: plain.",
        "Weights of the adaptive penalty against linear decodability: 0.1, 1.",
        "Hidden codes: folded, shuffled.",
        "Models judged: 3 honest, 1 of other honest recipes, 6 vicious, 2 evading, 2 hiding.",
        "Data: official (MNIST); synthetic stand-in (CelebA).",
        "beta_R = 0.3, 1.",
    ):
        assert part in told
    assert "Without a result" not in told
    assert "n/a" not in told


def test_without_adaptive_servers_nothing_is_said_of_them(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",), 1, evasion=())
    scores = servers.detection(("mnist",), 1, evasion=(), hidden=(), recipes=())
    words = all_words(all_detectors.draw(summary, scores)) + str(all_detectors.text(summary, scores))
    for part in ("evading", "Evading", "hiding", "Hidden", "recipe"):
        assert part not in words


def test_what_failed_is_told(made_up: ModuleType, servers: ModuleType) -> None:
    failed = [("mnist", "own_decoder", "vicious, folded", 0), ("mnist", "own_decoder", "vicious", 1)]
    scores = servers.detection(("mnist",), failed=failed)
    scores.loc[(scores["detector"] == "effective_rank") & (scores["role"] == "honest"), "score"] = 0.1
    scores.loc[scores["detector"] == "entropy", ["score", "status"]] = [np.nan, "failed"]
    summary = servers.summary(made_up, ("mnist",), failed=(("mnist", "honest", 1),))
    drawn = [text.get_text() for text in all_detectors.draw(summary, scores).axes[0].texts]
    assert drawn == ["3 failed", "n/a", "failed"]
    told = str(all_detectors.text(summary, scores))
    for part in (
        "n/a: MNIST: honest verdicts by effective rank do not vary",
        "MNIST, vicious: no score by own decoder for 2 of 6 models",
        "MNIST, vicious: no score by entropy for 6 of 6 models",
        "MNIST, hiding: no score by own decoder for 1 of 2 models",
        "MNIST, honest (logits), seed 1: loss is not finite",
    ):
        assert part in told


def test_a_detector_of_other_datasets_only_says_so(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist", "cifar10"))
    scores = scores.loc[(scores["dataset"] == "mnist") | (scores["detector"] != "entropy")]
    drawn = all_detectors.draw(servers.summary(made_up, ("mnist", "cifar10")), scores)
    assert [[text.get_text() for text in ax.texts] for ax in drawn.axes] == [[], ["not run"]]


def test_without_honest_models_there_is_no_measure(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist",))
    scores = scores.loc[scores["role"] == "vicious"]
    drawn = all_detectors.draw(servers.summary(made_up, ("mnist",)), scores)
    assert [text.get_text() for text in drawn.axes[0].texts] == ["n/a"] * 4


def test_scores_of_other_studies_are_refused(made_up: ModuleType, servers: ModuleType) -> None:
    with pytest.raises(MixedResultsError, match="the summary has no cifar10"):
        all_detectors.draw(servers.summary(made_up, ("mnist",)), servers.detection(("mnist", "cifar10")))


def test_files_have_the_same_bytes_twice(made_up: ModuleType, servers: ModuleType, tmp_path: Path) -> None:
    servers.summary(made_up, ("mnist",)).to_csv(tmp_path / "defense.csv", index=False)
    servers.detection(("mnist",)).to_csv(tmp_path / "detection.csv", index=False)
    inputs = tmp_path / "defense.csv", tmp_path / "detection.csv"
    one, two = (all_detectors.write(*inputs, place(all_detectors, tmp_path / name)) for name in ("a", "b"))
    assert [path.name for path in one] == [f"all_detectors{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
