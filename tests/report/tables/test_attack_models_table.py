"""The table of attacks compares each with the original's post-hoc one on the same target models."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from legible import printed_cells
from placed import table_of

from vicious.report.tables import attack_models_table

BETTER = 0.7
"""PSNR, in dB, that the other attack model gains."""


def summary(made_up: ModuleType, failed: Any = (), **options: Any) -> Any:
    """A summary with the original's post-hoc attack, another and the best one on the same target models.

    ``failed`` holds (attack, role, seed).
    """
    plain = made_up.summary(betas=(1.0,), **options).assign(attack="posthoc", recipe="", hidden="")
    other = plain.assign(attack="posthoc-upsampling", psnr=plain["psnr"] + BETTER)
    best = other.assign(attack="best", chosen="psnr: posthoc-upsampling")
    frame = pd.concat([plain, other, best], ignore_index=True)
    result: pd.DataFrame = made_up.failing(frame, "attack", failed)
    return result


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Any]:
    """Writes the table of a summary; returns its CSV as a frame, and its Markdown."""

    return lambda frame: table_of(attack_models_table, frame, tmp_path)


def test_each_attack_model_stands_below_the_originals_on_the_same_models(made_up: ModuleType, written: Any) -> None:
    table, text = written(summary(made_up, synthetic=("mnist",)))
    assert list(zip(table["task"], table["role"], table["attack"], strict=True)) == [
        (task, role, name)
        for task in ("mnist", "cifar10")
        for role in ("honest", "vicious")
        for name in ("posthoc", "posthoc-upsampling", "best")
    ]
    cells = printed_cells(text)
    assert [line[:3] for line in cells[:6]] == [
        ["MNIST (synthetic stand-in)", "honest", "original, post-hoc"],
        ["", "", "upsampling"],
        ["", "", "best"],
        ["", "vicious, β_R = 1", "original, post-hoc"],
        ["", "", "upsampling"],
        ["", "", "best"],
    ]
    assert [line[-2:] for line in cells[:2]] == [["–", "3"], [f"{BETTER:.2f} ± 0.00", "3"]]
    assert text.startswith("**Table 13.**")
    assert "n = 3 seeds" in text


def test_numbers_are_means_over_seeds(made_up: ModuleType, written: Any) -> None:
    frame = summary(made_up, tasks=("mnist",))
    table, _ = written(frame)
    rows = frame.query("role == 'vicious' and attack == 'posthoc-upsampling'")
    found = table.query("role == 'vicious' and attack == 'posthoc-upsampling'").iloc[0]
    assert found["accuracy_mean"] == pytest.approx(100 * rows["accuracy"].mean())
    for name in ("psnr", "ssim", "risk", "risk95"):
        assert found[f"{name}_mean"] == pytest.approx(rows[name].mean())
        assert found[f"{name}_sd"] == pytest.approx(rows[name].std())
        assert found[f"{name}_n"] == 3
    assert found["gain_mean"] == pytest.approx(BETTER)
    assert table.loc[table["attack"] == "posthoc", "gain_n"].isna().all()


def test_failures_are_shown_and_left_out_of_means_and_differences(made_up: ModuleType, written: Any) -> None:
    failed = [("posthoc", "honest", 0), ("posthoc-upsampling", "honest", 1)]
    failed += [("posthoc-upsampling", "vicious", seed) for seed in range(3)]
    table, text = written(summary(made_up, tasks=("mnist",), failed=failed))
    cells = printed_cells(text)
    assert cells[0][-1] == "2 of 3"
    assert cells[1][-2:] == [f"{BETTER:.2f} (1 seed; 2/3 failed)", "2 of 3"]
    assert cells[4][-2:] == ["failed (3 of 3 seeds)", "0 of 3"]
    assert "original, post-hoc on MNIST, honest (logits), seed 0: the loss is nan, step 5" in text
    assert "upsampling on MNIST, vicious (logits, β_R = 1), seed 0, 1, 2: the loss is nan, step 5" in text
    assert list(table["gain_n"].dropna()) == [1, 2, 0, 3]


def test_without_the_originals_decoder_there_is_no_difference(made_up: ModuleType, written: Any) -> None:
    frame = summary(made_up, tasks=("mnist",))
    _, text = written(frame.loc[frame["attack"] != "posthoc"])
    assert {line[-2] for line in printed_cells(text)} == {"–"}


def test_kinds_of_outputs_are_named_where_there_are_several(made_up: ModuleType, written: Any) -> None:
    _, text = written(summary(made_up, tasks=("mnist",), outputs=("logits", "softmax")))
    assert [line[1] for line in printed_cells(text)] == ["logits", *[""] * 5, "softmax", *[""] * 5]


def test_the_joint_attack_stands_first(made_up: ModuleType, written: Any) -> None:
    joint = made_up.summary(("mnist",), betas=(1.0,)).query("role == 'vicious'").assign(recipe="", hidden="")
    table, text = written(pd.concat([summary(made_up, tasks=("mnist",)), joint]))
    vicious = table.loc[table["role"] == "vicious", "attack"]
    assert list(vicious) == ["joint", "posthoc", "posthoc-upsampling", "best"]
    assert [line[2] for line in printed_cells(text)[3:5]] == ["original, joint", "original, post-hoc"]


def test_an_autoencoder_has_no_accuracy(made_up: ModuleType, written: Any) -> None:
    frame = made_up.summary(("mnist",), betas=(1.0,), autoencoder=("logits",)).assign(recipe="", hidden="")
    table, text = written(frame)
    (line,) = [cells for cells in printed_cells(text) if "autoencoder" in cells]
    assert line[3] == "–"
    assert table.loc[table["role"] == "autoencoder", "accuracy_n"].isna().all()
