"""The table of attackers compares each with the study's attacker on the same target models."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from legible import printed_cells
from placed import table_of

from vicious.report.tables import attackers_table
from vicious.system.errors import DataError

GAINS = {"": 0.0, "budget2": 0.04, "images500": -1.0, "of_fashion_mnist": -2.5}
"""PSNR, in dB, that an attacker of some means gains."""


def summary(made_up: ModuleType, gains: Any = GAINS, failed: Any = (), **options: Any) -> Any:
    """A summary of attacks by attackers of some means; ``failed`` holds (means, role, seed)."""
    plain = made_up.summary(("mnist",), betas=(1.0,), **options).assign(attack="posthoc", recipe="", hidden="")
    kernel = plain.assign(attack="posthoc-kernel_ridge", psnr=plain["psnr"] + 0.5)
    frames = [
        rows.assign(means=means, psnr=rows["psnr"] + gain) for means, gain in gains.items() for rows in (plain, kernel)
    ]
    frame = pd.concat(frames, ignore_index=True)
    result: pd.DataFrame = made_up.failing(frame, "means", failed)
    return result


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Any]:
    """Writes the table of a summary; returns its CSV as a frame, and its Markdown."""

    return lambda frame: table_of(attackers_table, frame, tmp_path)


def test_each_attacker_stands_below_the_studys_on_the_same_models(made_up: ModuleType, written: Any) -> None:
    table, text = written(summary(made_up))
    assert list(zip(table["role"], table["attack"], table["means"].fillna(""), strict=True)) == [
        (role, attack, means)
        for role in ("honest", "vicious")
        for attack in ("posthoc", "posthoc-kernel_ridge")
        for means in GAINS
    ]
    cells = printed_cells(text)
    assert [line[1:4] for line in cells[:5]] == [
        ["honest", "original", "usual"],
        ["", "", "2 times the budget"],
        ["", "", "500 images"],
        ["", "", "images of Fashion-MNIST"],
        ["", "kernel ridge", "usual"],
    ]
    assert [line[-2] for line in cells[:4]] == ["–", "0.04 ± 0.00", "-1.00 ± 0.00", "-2.50 ± 0.00"]


def test_the_note_on_larger_budgets_names_what_did_not_converge(made_up: ModuleType, written: Any) -> None:
    _, text = written(summary(made_up))
    assert "A larger budget gains less than 0.1 dB in 4 of 4 cases." in text
    frame = summary(made_up)
    odd = (frame["means"] == "budget2") & (frame["role"] == "vicious") & (frame["attack"] == "posthoc")
    frame.loc[odd, "psnr"] += 0.2
    _, text = written(frame)
    assert "in 3 of 4 cases; more is gained by original on MNIST, vicious (2 times the budget: +0.24 dB)." in text
    _, text = written(frame.loc[frame["means"] != "budget2"])
    assert "larger budget gains" not in text


def test_the_note_on_larger_budgets_counts_what_failed(made_up: ModuleType, written: Any) -> None:
    failed = [("budget2", "honest", seed) for seed in range(3)]
    _, text = written(summary(made_up, failed=failed))
    assert "A larger budget gains less than 0.1 dB in 2 of 4 cases; 2 failed." in text


def test_failures_are_shown_and_left_out_of_differences(made_up: ModuleType, written: Any) -> None:
    table, text = written(summary(made_up, failed=[("budget2", "honest", 0), ("", "vicious", 1)]))
    cells = printed_cells(text)
    assert cells[1][-2:] == ["0.04 ± 0.00 (1/3 failed)", "2 of 3"]
    assert "original, 2 times the budget, on MNIST, honest (logits), seed 0: the loss is nan, step 5" in text
    gained = table.query("role == 'vicious' and means == 'images500'")
    assert list(gained["gain_n"]) == [2, 2], "a seed that the study's attacker lacks"


def test_a_summary_of_other_means_is_refused(made_up: ModuleType, written: Any) -> None:
    frame = summary(made_up)
    with pytest.raises(DataError, match="does not name an attacker's means"):
        written(frame.assign(means=frame["means"].replace("budget2", "budget 2")))
