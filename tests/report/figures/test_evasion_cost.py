"""Verdicts against what servers reconstruct."""

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from legible import all_words
from matplotlib.text import Text
from placed import place

from vicious.models.evaded import against
from vicious.report import adaptive, style
from vicious.report.figures import evasion_cost
from vicious.system import registry


def test_the_z_score_is_the_largest_in_standard_deviations_of_honest_verdicts(
    made_up: ModuleType, servers: ModuleType
) -> None:
    scores = servers.detection(("mnist",))
    (block,) = adaptive.blocks(servers.summary(made_up, ("mnist",)), scores)
    here = scores.loc[scores["n_user"] == 200]
    found = {point.server.name: point for point in evasion_cost.points(block, 200)}
    expected = {}
    for detector in ("linear_decodability", "own_decoder", "effective_rank"):
        rows = here.loc[here["detector"] == detector]
        honest = rows.loc[(rows["role"] == "honest") & (rows["recipe"] == ""), "score"]
        folded = rows.loc[rows["hidden"] == "folded", "score"]
        expected[detector] = (folded.mean() - honest.mean()) / honest.std()
    most = max(expected, key=lambda name: expected[name])
    assert found["vicious, folded"].detector == most
    assert found["vicious, folded"].z_score.mean == pytest.approx(expected[most])
    assert (found["vicious"].z_score.ok, found["vicious, linear evasion 1"].z_score.ok) == (3, 1)


def test_all_text_is_legible_and_inside(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, made_up.ALL, synthetic=("cifar100", "celeba"))
    drawn = evasion_cost.draw(summary, servers.detection(made_up.ALL))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    named = {"no evasion", "linear 0.1", "linear 1", "code folded", "code shuffled"}
    for ax in drawn.axes:
        assert {text.get_text().strip() for text in ax.texts} == {*named, "honest"}


def test_names_do_not_overlap(made_up: ModuleType, servers: ModuleType) -> None:
    weights = {"distance": (1.0, 3.0), "both": (1.0,)}
    drawn = evasion_cost.draw(servers.summary(made_up, ("mnist",), **weights), servers.detection(("mnist",), **weights))
    drawn.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in drawn.axes[0].texts[1:]), key=lambda box: box.y0)
    assert len(boxes) == 8
    assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(boxes))
    panel = drawn.axes[0].get_window_extent()
    assert all(panel.x0 <= box.x0 and box.x1 <= panel.x1 + 2 for box in boxes)


def test_names_of_all_servers_of_the_pilot_fit(made_up: ModuleType, servers: ModuleType) -> None:
    """Codes hide the outputs of a vicious server and of the one that evades linear decodability the most."""
    weights = {"evasion": (0.3, 1.0), "distance": (1.0, 2.0), "both": (1.0, 2.0)}
    summary = servers.summary(made_up, ("mnist",), **weights)
    scores = servers.detection(("mnist",), **weights)
    evading = scores.loc[(scores["evades"] == "linear_decodability") & (scores["evasion"] == 1.0)]
    more = [evading.assign(hidden=code) for code in ("shuffled", "folded", "shifted", "keyed")]
    drawn = evasion_cost.draw(summary, pd.concat([scores, *more], ignore_index=True))
    drawn.draw_without_rendering()
    panel, page = drawn.axes[0].get_window_extent(), drawn.bbox
    boxes = sorted((text.get_window_extent() for text in drawn.axes[0].texts[1:]), key=lambda box: box.y0)
    assert len(boxes) == 13
    assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(boxes))
    assert panel.y0 - 1 <= boxes[0].y0
    assert boxes[-1].y1 <= panel.y1 + 1
    assert max(box.x1 for box in boxes) <= page.x1
    assert "linear 1 + shuffled" in all_words(drawn)


def test_the_axis_keeps_its_name_where_something_failed(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist",), failed=[("mnist", "own_decoder", "vicious, folded", 0)])
    drawn = evasion_cost.draw(servers.summary(made_up, ("mnist",)), scores)
    assert "PSNR of the server's best attack (dB)" in all_words(drawn)
    assert "no score by own decoder" in all_words(drawn).replace("\n", " ")


def test_what_makes_an_axis_logarithmic_is_said(made_up: ModuleType, servers: ModuleType) -> None:
    """Means within the limit, with standard deviations beyond it."""
    scores, summary = servers.detection(("mnist",), 3), servers.summary(made_up, ("mnist",))
    far = (scores["role"] == "vicious") & (scores["seed"] == 2) & (scores["hidden"] == "") & (scores["evasion"] == 0)
    scores.loc[far, "score"] *= 4
    drawn, told = evasion_cost.draw(summary, scores), str(evasion_cost.text(summary, scores))
    assert (drawn.axes[0].get_yscale() == "symlog") == ("logarithmic" in told)


def test_the_legend_has_at_most_eight_entries(made_up: ModuleType, servers: ModuleType) -> None:
    summary, scores = servers.summary(made_up, made_up.ALL), servers.detection(made_up.ALL)
    (legend,) = evasion_cost.draw(summary, scores).legends
    assert 2 <= len(legend.get_texts()) <= 8


@pytest.mark.parametrize("evades", sorted({*registry.names("vicious.training.penalties")} - {"linear_decodability"}))
def test_servers_of_every_penalty_are_drawn(made_up: ModuleType, servers: ModuleType, evades: str) -> None:
    weights = {"evasion": (1.0,), "both": (1.0,)}
    summary, scores = servers.summary(made_up, ("mnist",), **weights), servers.detection(("mnist",), **weights)
    named = [rows.assign(evades=rows["evades"].replace("both", evades)) for rows in (summary, scores)]
    drawn = evasion_cost.draw(*named)
    found = {text.get_text().strip() for text in drawn.axes[0].texts}
    one = f"{evades.split('_')[0]} 1"
    assert found == {"honest", "no evasion", "linear 1", one, "code folded", "code shuffled"}
    told = str(evasion_cost.text(*named))
    assert f"A number is the weight of the penalty against linear decodability or {against(evades)}." in told
    assert f"1 {evades.split('_')[0]} evasion 1" in told


def test_a_single_dataset_leaves_room_for_the_vertical_title(made_up: ModuleType, servers: ModuleType) -> None:
    drawn = evasion_cost.draw(servers.summary(made_up, ("mnist",)), servers.detection(("mnist",), numbers=(1000,)))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert used.y0 >= 0
    assert used.y1 <= drawn.get_size_inches()[1]


def test_weights_stand_apart_in_their_order() -> None:
    places = style.apart({"0": 0.8, "0.1": 0.8, "0.3": 0.79, "1": 0.2}, least=0.1)
    assert list(places) == ["1", "0.3", "0", "0.1"]
    values = list(places.values())
    assert min(b - a for a, b in pairwise(values)) == pytest.approx(0.1, abs=1e-3)
    assert places["1"] == 0.2


@pytest.mark.parametrize(("factor", "scale"), [(1.0, "linear"), (100.0, "symlog")])
def test_values_of_several_orders_have_a_logarithmic_axis(
    made_up: ModuleType, servers: ModuleType, factor: float, scale: str
) -> None:
    scores, summary = servers.detection(("mnist",)), servers.summary(made_up, ("mnist",))
    scores.loc[scores["role"] == "vicious", "score"] *= factor / 2
    assert evasion_cost.draw(summary, scores).axes[0].get_yscale() == scale
    assert ("logarithmic beyond 3: MNIST" in str(evasion_cost.text(summary, scores))) == (scale == "symlog")


def test_caption_tells_what_stands_where(made_up: ModuleType, servers: ModuleType) -> None:
    told = str(
        evasion_cost.text(servers.summary(made_up, ("celeba",), synthetic=("celeba",)), servers.detection(("celeba",)))
    )
    assert "hidden codes (folded, shuffled), which have the PSNR of the model whose outputs they hide" in told
    assert "hiding changes neither accuracy nor reconstruction" in told
    assert "Models judged: 3 honest, 3 vicious, 1 linear evasion 0.1, 1 linear evasion 1, 1 folded, 1 shuffled." in told
    assert "synthetic stand-in" in told
    assert "beta_R = 1." in told


def test_without_adaptive_servers_nothing_is_said_of_them(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",), 1, evasion=())
    scores = servers.detection(("mnist",), 1, evasion=(), hidden=())
    words = all_words(evasion_cost.draw(summary, scores)) + str(evasion_cost.text(summary, scores))
    assert "penalty" not in words
    assert "idden" not in words


def test_what_failed_is_told(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",))
    summary.loc[summary["evasion"] == 1.0, ["status", "reason"]] = ["failed", "loss is not finite"]
    scores = servers.detection(("mnist",), failed=[("mnist", "own_decoder", "vicious, folded", 0)])
    scores.loc[(scores["detector"] == "effective_rank") & (scores["role"] == "honest"), "score"] = 0.5
    words, told = all_words(evasion_cost.draw(summary, scores)), str(evasion_cost.text(summary, scores))
    for text in (words, told):
        assert "MNIST, vicious, folded: no score by own decoder for 1 of 1 models" in text.replace("\n", " ")
        assert "MNIST: honest verdicts by effective rank do not vary" in text.replace("\n", " ")
    assert "linear evasion 1): 1 of 1 seeds" in words
    assert "linear evasion 1), seed 0: loss is not finite" in told


def test_a_panel_without_points_says_so(made_up: ModuleType, servers: ModuleType) -> None:
    scores = servers.detection(("mnist",))
    scores = scores.loc[scores["role"] == "vicious"]
    assert "nothing to compare" in all_words(evasion_cost.draw(servers.summary(made_up, ("mnist",)), scores))


def test_files_have_the_same_bytes_twice(made_up: ModuleType, servers: ModuleType, tmp_path: Path) -> None:
    servers.summary(made_up, ("mnist",)).to_csv(tmp_path / "defense.csv", index=False)
    servers.detection(("mnist",)).to_csv(tmp_path / "detection.csv", index=False)
    inputs = tmp_path / "defense.csv", tmp_path / "detection.csv"
    one, two = (evasion_cost.write(*inputs, place(evasion_cost, tmp_path / name)) for name in ("a", "b"))
    assert [path.name for path in one] == [f"evasion_cost{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
