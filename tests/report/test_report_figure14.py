"""Figure 14: verdicts against what servers reconstruct."""

from itertools import pairwise

import pytest
from matplotlib.text import Text

from vicious.report import adaptive, figure14, style


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_heights_are_in_standard_deviations_of_honest_verdicts(made_up, servers):
    scores = servers.detection(("mnist",))
    (block,) = adaptive.blocks(servers.summary(made_up, ("mnist",)), scores)
    here = scores.loc[(scores["detector"] == "own_decoder") & (scores["n_user"] == 200)]
    honest = here.loc[(here["role"] == "honest") & (here["recipe"] == ""), "score"]
    folded = here.loc[here["hidden"] == "folded", "score"]
    found = {point.server.name: point.height for point in figure14.points(block, "own_decoder", 200)}
    assert found["vicious, folded"].mean == pytest.approx((folded.mean() - honest.mean()) / honest.std())
    assert (found["vicious"].ok, found["vicious, linear evasion 1"].ok) == (3, 1)


def test_all_text_is_legible_and_inside(made_up, servers):
    summary = servers.summary(made_up, made_up.ALL, synthetic=("cifar100", "celeba"))
    drawn = figure14.figure14(summary, servers.detection(made_up.ALL))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert min(text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    assert [text.get_text() for text in drawn.axes[0].texts] == ["1", "0.1", "0"]


def test_each_detector_evaded_has_a_line_of_its_own(made_up, servers):
    weights = {"distance": (1.0, 3.0), "both": (1.0,)}
    summary, scores = servers.summary(made_up, ("mnist",), **weights), servers.detection(("mnist",), **weights)
    drawn = figure14.figure14(summary, scores)
    assert {text.get_text() for text in drawn.axes[0].texts} == {"0", "0.1○", "1○", "1△", "3△", "1▽"}
    lines = [line for line in drawn.axes[0].lines if line.get_linestyle() in ("-", ":") and len(line.get_xdata()) == 3]
    judged = 3
    assert [line.get_linestyle() for line in lines] == ["-", ":"] * judged
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        assert first.get_xydata()[0].tolist() == second.get_xydata()[0].tolist()
        assert first.get_color() == second.get_color()
    assert "evading distance correlation (△)" in _words(drawn)
    told = figure14.caption(summary, scores)
    assert "its penalty against linear decodability or distance correlation or both, a line for each." in told
    assert "1 linear evasion 1, 1 distance evasion 1, 1 distance evasion 3, 1 both evasion 1" in told


def test_a_single_dataset_leaves_room_for_the_vertical_title(made_up, servers):
    drawn = figure14.figure14(servers.summary(made_up, ("mnist",)), servers.detection(("mnist",), numbers=(1000,)))
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert used.y0 >= 0
    assert used.y1 <= drawn.get_size_inches()[1]


def test_weights_stand_apart_in_their_order():
    places = figure14.apart({"0": 0.8, "0.1": 0.8, "0.3": 0.79, "1": 0.2}, least=0.1)
    assert list(places) == ["1", "0.3", "0", "0.1"]
    values = list(places.values())
    assert min(b - a for a, b in pairwise(values)) == pytest.approx(0.1, abs=1e-3)
    assert places["1"] == 0.2


@pytest.mark.parametrize(("factor", "scale"), [(1.0, "linear"), (100.0, "symlog")])
def test_values_of_several_orders_have_a_logarithmic_axis(made_up, servers, factor, scale):
    scores, summary = servers.detection(("mnist",)), servers.summary(made_up, ("mnist",))
    scores.loc[scores["role"] == "vicious", "score"] *= factor / 2
    assert figure14.figure14(summary, scores).axes[0].get_yscale() == scale
    assert ("logarithmic beyond 3: MNIST" in figure14.caption(summary, scores)) == (scale == "symlog")


def test_caption_tells_what_stands_where(made_up, servers):
    told = figure14.caption(
        servers.summary(made_up, ("celeba",), synthetic=("celeba",)), servers.detection(("celeba",))
    )
    assert "Hidden codes (folded, shuffled) stand at the PSNR and R95 of the models whose outputs they hide" in told
    assert "hiding changes neither accuracy nor reconstruction" in told
    assert "Models judged: 3 honest, 3 vicious, 1 linear evasion 0.1, 1 linear evasion 1, 1 folded, 1 shuffled." in told
    assert "synthetic stand-in" in told
    assert "beta_R = 1." in told


def test_without_adaptive_servers_nothing_is_said_of_them(made_up, servers):
    summary = servers.summary(made_up, ("mnist",), 1, evasion=())
    scores = servers.detection(("mnist",), 1, evasion=(), hidden=())
    words = _words(figure14.figure14(summary, scores)) + figure14.caption(summary, scores)
    assert "penalty" not in words
    assert "Hidden" not in words


def test_what_failed_is_told(made_up, servers):
    summary = servers.summary(made_up, ("mnist",))
    summary.loc[summary["evasion"] == 1.0, ["status", "reason"]] = ["failed", "loss is not finite"]
    scores = servers.detection(("mnist",), failed=[("mnist", "own_decoder", "vicious, folded", 0)])
    scores.loc[(scores["detector"] == "effective_rank") & (scores["role"] == "honest"), "score"] = 0.5
    words, told = _words(figure14.figure14(summary, scores)), figure14.caption(summary, scores)
    for text in (words, told):
        assert "MNIST, vicious, folded: no score by own decoder for 1 of 1 models" in text.replace("\n", " ")
        assert "MNIST: honest verdicts by effective rank do not vary" in text.replace("\n", " ")
    assert "linear evasion 1): 1 of 1 seeds" in words
    assert "linear evasion 1), seed 0: loss is not finite" in told


def test_a_panel_without_points_says_so(made_up, servers):
    scores = servers.detection(("mnist",))
    scores = scores.loc[scores["role"] == "vicious"]
    assert "nothing to compare" in _words(figure14.figure14(servers.summary(made_up, ("mnist",)), scores))


def test_files_have_the_same_bytes_twice(made_up, servers, tmp_path):
    servers.summary(made_up, ("mnist",)).to_csv(tmp_path / "defense.csv", index=False)
    servers.detection(("mnist",)).to_csv(tmp_path / "detection.csv", index=False)
    inputs = tmp_path / "defense.csv", tmp_path / "detection.csv"
    one, two = (figure14.write(*inputs, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in one] == [f"figure14{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
