"""Table 12 and figure 15: kinds of outputs in their order, and what is compared with what."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import all_words
from matplotlib.text import Text
from placed import place

from vicious.report import mitigations, style
from vicious.report.figures import mitigation_leaks
from vicious.report.tables import mitigations_table
from vicious.system.errors import DataError, MixedResultsError

KINDS = (
    *("logits", "softmax", "probabilities", "temperature10", "temperature0.1"),
    *("top3", "top1", "round8", "round4", "round1", "noise0.01", "noise0.1", "label"),
)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Any]:
    """Writes a product from a summary; returns its paths."""

    def write(product: Any, frame: Any) -> Any:
        frame.to_csv(tmp_path / "mitigations.csv", index=False)
        return product.write(tmp_path / "mitigations.csv", place(product, tmp_path / "out"))

    return write


def test_kinds_stand_in_a_fixed_order(made_up: ModuleType) -> None:
    found = mitigations.treated(made_up.mitigations(("mnist",), KINDS[::-1], seeds=1))
    assert tuple(one.outputs for one in found) == KINDS
    names = [mitigations.title(one.outputs) for one in found]
    assert names[3:10] == ["temperature 10", "temperature 0.1", "top 3", "top 1", "8 bits", "4 bits", "1 bit"]


def test_only_attacks_trained_on_treated_outputs_are_shown(made_up: ModuleType) -> None:
    frame = made_up.mitigations(("mnist",))
    joint = made_up.summary(("mnist",)).query("role == 'vicious'").assign(psnr=99.0)
    found = mitigations.treated(pd.concat([frame, joint]))
    assert max(one.vicious.over_seeds("psnr").mean for one in found) < 30
    assert {server for one in found for server in one.groups} == {"honest", "vicious"}


def test_a_server_that_trains_for_what_is_sent_stands_beside_the_other(made_up: ModuleType, written: Any) -> None:
    frame = made_up.mitigations(("mnist",), trained_for=("top3", "noise0.1"))
    found = {one.outputs: one for one in mitigations.treated(frame)}
    assert [list(found[name].groups) for name in ("softmax", "top3")] == [
        ["honest", "vicious"],
        list(mitigations.SERVERS),
    ]
    top = found["top3"]
    assert top.aware.over_seeds("psnr").mean == pytest.approx(top.vicious.over_seeds("psnr").mean + 0.5)
    assert top.worst("psnr") == top.aware.over_seeds("psnr").mean
    assert found["softmax"].worst("psnr") == found["softmax"].vicious.over_seeds("psnr").mean
    csv, text, _ = written(mitigations_table, frame)
    table: Any = pd.read_csv(csv).set_index(["server", "outputs"])
    assert table.loc[("aware", "top3"), "beyond_label_mean"] == pytest.approx(
        table.loc[("vicious", "top3"), "beyond_label_mean"] + 0.5
    )
    words = text.read_text(encoding="utf-8")
    assert words.count("| vicious, trained for it |") == 2
    assert "the server expected the mitigation" in words


def test_servers_that_train_for_it_are_drawn_where_there_are_some(made_up: ModuleType) -> None:
    frame = made_up.mitigations(("mnist",), ("logits", "top3", "label"), seeds=1, trained_for=("top3",))
    assert "vicious, trained for it" in all_words(mitigation_leaks.draw(frame))
    assert "trained for it" not in all_words(mitigation_leaks.draw(frame.loc[frame["trained_for"] != "top3"]))


def test_a_failed_server_is_told_from_the_other_one(made_up: ModuleType) -> None:
    frame = made_up.mitigations(("mnist",), ("logits", "top3"), seeds=2, trained_for=("top3",))
    bad = (frame["role"] == "vicious") & (frame["outputs"] == "top3") & (frame["seed"] == 1)
    frame.loc[bad, ["status", "reason"]] = ["failed", "loss is not finite"]
    frame.loc[bad, ["accuracy", "psnr", "risk", "risk95"]] = np.nan
    drawn = " ".join(all_words(mitigation_leaks.draw(frame)).split())
    assert "MNIST, vicious (top3, trained for logits, " in drawn
    assert drawn.count("1 of 2 seeds") == drawn.count("MNIST, vicious (top3, ") == 2


def test_mixed_or_unknown_results_are_refused(made_up: ModuleType, written: Any) -> None:
    frame = made_up.mitigations(("mnist",))
    other = frame.loc[frame["role"] == "vicious"].assign(beta_r=3.0)
    with pytest.raises(MixedResultsError, match="several results"):
        written(mitigations_table, pd.concat([frame, other]))
    with pytest.raises(DataError, match="blurred"):
        written(mitigations_table, frame.replace({"outputs": {"top3": "blurred"}}))
    with pytest.raises(DataError, match="calibration_error"):
        written(mitigations_table, frame.drop(columns="calibration_error"))
    with pytest.raises(DataError, match="no attack posthoc"):
        written(mitigation_leaks, frame.assign(attack="joint"))


def test_table_compares_the_vicious_model_with_its_labels(made_up: ModuleType, written: Any) -> None:
    frame = made_up.mitigations(("mnist",))
    csv, text, _ = written(mitigations_table, frame)
    table: Any = pd.read_csv(csv).set_index(["role", "outputs"])
    psnr = frame.query("role == 'vicious'").set_index(["outputs", "seed"])["psnr"]
    difference = psnr["top3"] - psnr["label"]
    row = table.loc[("vicious", "top3")]
    assert row["beyond_label_mean"] == pytest.approx(difference.mean())
    assert row["beyond_label_sd"] == pytest.approx(difference.std())
    assert np.isnan(table.loc[("vicious", "label"), "beyond_label_mean"])
    assert row["calibration_error_mean"] == pytest.approx(5)
    words = text.read_text(encoding="utf-8")
    assert f"| {difference.mean():.2f} ± {difference.std():.2f} |" in words
    assert words.count("| MNIST |") == 1
    assert "noise s: " in words
    assert "temperature T" not in words


def test_table_without_labels_has_a_dash(made_up: ModuleType, written: Any) -> None:
    _, text, _ = written(mitigations_table, made_up.mitigations(("mnist",), ("logits", "top1"), seeds=1))
    lines = [line for line in text.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[1:3] for line in lines[-2:]] == [["top 1", "honest"], ["", "vicious"]]
    assert all(line.endswith("| – |") for line in lines[-2:])


def test_table_keeps_what_failed(made_up: ModuleType, written: Any) -> None:
    failed = [("mnist", "vicious", "label", 1), *(("mnist", "honest", "top3", seed) for seed in range(3))]
    frame = made_up.mitigations(("mnist",), failed=tuple(failed))
    frame = frame.loc[(frame["outputs"] != "softmax") | (frame["role"] != "honest")]
    _, text, tex = written(mitigations_table, frame)
    words = text.read_text(encoding="utf-8")
    lines = words.splitlines()
    (logits,) = [lines[place + 1] for place, line in enumerate(lines) if "| logits | honest |" in line]
    (top,) = [line for line in lines if "| top 3 | honest |" in line]
    (softmax,) = [line for line in lines if "| softmax | honest |" in line]
    assert "(1/3 failed)" in logits.split("|")[-2]
    assert top.count("failed (3 of 3 seeds)") == 8
    assert softmax.count("not run") == 8
    assert "MNIST, vicious (label, trained for logits, beta" in tex.read_text(encoding="utf-8").replace(
        "$", ""
    ).replace("\\", "")
    assert "seed 1: loss is not finite" in words


def test_rows_stand_from_what_leaks_most_to_what_leaks_least(made_up: ModuleType) -> None:
    kinds = ("logits", "softmax", "top3", "label")
    frame = made_up.mitigations(("mnist", "cifar10"), kinds, seeds=1, trained_for=("top3",))
    frame["psnr"] = 20.0 - frame["outputs"].map(kinds.index)
    assert mitigation_leaks.order(mitigations.treated(frame)) == list(kinds)
    aware = frame["trained_for"] == "top3"
    more = frame.assign(psnr=frame["psnr"] + 9 * (aware & (frame["task"] == "mnist")))  # on average the most
    assert mitigation_leaks.order(mitigations.treated(more))[0] == "top3"
    lost = (frame["outputs"] == "logits") & (frame["role"] == "vicious")
    failed = frame.assign(status=frame["status"].mask(lost, "failed"), psnr=frame["psnr"].mask(lost))
    assert mitigation_leaks.order(mitigations.treated(failed))[-1] == "logits"
    dim = frame.assign(psnr=frame["psnr"] - 9 * (frame["task"] == "mnist"))  # what lacks there would look better
    lost = (dim["task"] == "mnist") & (dim["outputs"] == "softmax")
    failed = dim.assign(status=dim["status"].mask(lost, "failed"), psnr=dim["psnr"].mask(lost))
    assert mitigation_leaks.order(mitigations.treated(failed))[0] == "logits"


def test_without_labels_no_line_is_promised(made_up: ModuleType) -> None:
    frame = made_up.mitigations(("mnist",), ("logits", "top3"), seeds=1)
    assert "label alone" not in all_words(mitigation_leaks.draw(frame))
    assert "Dashed" not in mitigation_leaks.text(frame).caption
    assert "Dashed" in mitigation_leaks.text(made_up.mitigations(("mnist",), seeds=1)).caption


def test_figure_shows_psnr_by_row_the_labels_and_accuracy(made_up: ModuleType) -> None:
    kinds = ("logits", "top3", "noise0.1", "label")
    frame = made_up.mitigations(("mnist",), kinds, trained_for=("top3",))
    frame.loc[frame["trained_for"] == "top3", "accuracy"] -= 0.2  # another training
    drawn = mitigation_leaks.draw(frame)
    (ax,) = drawn.axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["logits", "top 3", "noise 0.1", "label"]
    means = frame.groupby(["outputs", "role", "trained_for"])["psnr"].mean()
    points = [(line.get_marker(), np.asarray(line.get_data(), float).T) for line in ax.lines]
    marks = {(marker, int(y)): x for marker, places in points for x, y in places}
    assert marks["^", 0] == pytest.approx(means["logits", "vicious", "logits"])
    assert marks["D", 1] == pytest.approx(means["top3", "vicious", "top3"])
    assert marks["o", 3] == pytest.approx(means["label", "honest"].iloc[0])
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [np.asarray(line.get_xdata(), float)[0] for line in dashed] == pytest.approx(
        [means["label", "vicious", "logits"]]
    )
    sent = 100 * frame.loc[frame["trained_for"] == "logits"].groupby("outputs")["accuracy"].mean()
    shown = [(text.get_position()[1], text.get_text()) for text in ax.texts if text.get_text().endswith("%")]
    assert shown == [(place, f"{sent[kind]:.1f}%") for place, kind in enumerate(kinds)]


def test_figure_has_the_same_bytes_twice(made_up: ModuleType, written: Any) -> None:
    frame = made_up.mitigations(("mnist",), seeds=1)
    one = written(mitigation_leaks, frame)
    before = [path.read_bytes() for path in one]
    assert [path.name for path in one] == [f"mitigation_leaks{end}" for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in written(mitigation_leaks, frame)] == before


@pytest.mark.parametrize("kinds", [("logits", "probabilities", "label"), KINDS])
def test_all_text_of_the_figure_is_legible_and_inside(made_up: ModuleType, kinds: Any) -> None:
    frame = made_up.mitigations(made_up.ALL, kinds, synthetic=("celeba",), trained_for=kinds[1:-1])
    drawn = mitigation_leaks.draw(frame)
    drawn.draw_without_rendering()
    used = drawn.get_tightbbox()
    assert min(used.x0, used.y0) >= 0
    assert (used.size <= drawn.get_size_inches()).all()
    assert drawn.get_size_inches()[1] < 9.8
    assert min(float(text.get_fontsize()) for text in drawn.findobj(Text) if text.get_text()) >= style.SMALL
    words = all_words(drawn)
    assert all(mitigations.title(kind) in words for kind in kinds)


def test_figure_tells_what_failed(made_up: ModuleType) -> None:
    failed = [("mnist", role, "label", 0) for role in ("honest", "vicious")]
    everything = tuple(("cifar10", role, kind, 0) for role in ("honest", "vicious") for kind in ("logits", "label"))
    frame = made_up.mitigations(outputs=("logits", "label"), seeds=1, failed=(*failed, *everything))
    drawn = mitigation_leaks.draw(frame)
    assert "Failed: MNIST, honest (label): 1 of 1 seeds" in all_words(drawn)
    failures = [[text.get_position()[1] for text in ax.texts if text.get_text() == "failed"] for ax in drawn.axes]
    assert failures == [[1], [0, 1]]
    assert "CIFAR-10, vicious (logits, beta_R = 1), seed 0: loss is not finite" in str(mitigation_leaks.text(frame))
