"""Membership inference by a threshold on the loss."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import printed_cells
from placed import place
from scipy import stats

from vicious.metrics.paired import holm
from vicious.report.tables import membership_table
from vicious.system.errors import DataError

Written = Callable[..., tuple[str, str, str]]


@pytest.fixture
def written(made_up: ModuleType, tmp_path: Path) -> Written:
    """Writes the table of made-up rows; returns its CSV, Markdown and LaTeX."""

    def write(frame: Any = None, **options: Any) -> tuple[str, str, str]:
        rows = made_up.membership(**options) if frame is None else frame
        rows.to_csv(tmp_path / "membership.csv", index=False)
        paths = membership_table.write(tmp_path / "membership.csv", place(membership_table, tmp_path / "out"))
        one, two, three = (path.read_text(encoding="utf-8") for path in paths)
        return one, two, three

    return write


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def own(frame: pd.DataFrame, row: dict[str, str]) -> pd.DataFrame:
    alike = (frame["task"] == row["task"]) & (frame["role"] == row["role"]) & (frame["outputs"] == row["outputs"])
    return frame.loc[alike & (frame["beta_r"] == float(row["beta_r"]))]


def test_agrees_with_scipy(written: Written, made_up: ModuleType) -> None:
    frame = made_up.membership()
    text, markdown, latex = written(frame)
    assert markdown.startswith("**Table 15.**")
    p = []
    for row in rows_of(text):
        mine = own(frame, row)["auc"].to_numpy()
        low, high = stats.t.interval(0.95, 2, mine.mean(), stats.sem(mine))
        assert float(row["auc_mean"]) == pytest.approx(mine.mean())
        assert float(row["auc_sd"]) == pytest.approx(mine.std(ddof=1))
        assert (float(row["auc_low"]), float(row["auc_high"])) == pytest.approx((low, high))
        if row["role"] == "honest":
            assert row["difference_mean"] == row["difference_n"] == ""
            continue
        honest = frame.loc[(frame["task"] == row["task"]) & (frame["role"] == "honest"), "auc"].to_numpy()
        test = stats.ttest_rel(mine, honest)
        ends = test.confidence_interval()
        assert float(row["difference_mean"]) == pytest.approx((mine - honest).mean())
        assert float(row["difference_p"]) == pytest.approx(test.pvalue)
        found = float(row["difference_low"]), float(row["difference_high"])
        assert found == pytest.approx((ends.low, ends.high))
        assert row["difference_n"] == "3"
        p.append(test.pvalue)
    adjusted = [float(row["difference_holm"]) for row in rows_of(text) if row["difference_holm"]]
    assert adjusted == pytest.approx(holm(np.array(p)).tolist())
    assert r"\label{tab:membership_table}" in latex


def test_honest_and_vicious_stand_side_by_side_with_chance_below(written: Written) -> None:
    _, markdown, _ = written(tasks=("mnist",), outputs=("logits", "softmax"), betas=(1.0,))
    cells = printed_cells(markdown)
    assert [line[:3] for line in cells] == [
        *(["MNIST", "–", "honest"], ["", "logits", "vicious, β_R = 1"], ["", "softmax", "vicious, β_R = 1"]),
        ["any", "", "a guess"],
    ]
    assert cells[3][3:8] == ["0.5", "–", "0.000", "1.00", "0.10"]
    assert cells[0][4] == "–", "no difference of honest models to themselves"
    assert cells[1][4].startswith("+0.0")
    assert "[" in cells[1][3]
    assert "[" in cells[1][4]
    assert cells[1][6:10] == ["1.10 ± 0.00", "0.20 ± 0.00", "91.00 ± 0.00", "87.00 ± 0.00"]
    assert [line[-1] for line in cells] == ["3", "3", "3", ""]


def test_one_kind_of_outputs_needs_no_column(written: Written) -> None:
    _, markdown, _ = written(tasks=("mnist",), betas=(1.0,))
    assert [line[:2] for line in printed_cells(markdown)] == [
        *(["MNIST", "honest"], ["", "vicious, β_R = 1"], ["any", "a guess"])
    ]


def test_failed_seeds_are_counted_and_their_reason_is_told(written: Written) -> None:
    text, markdown, _ = written(tasks=("mnist",), betas=(1.0,), failed=(("mnist", "honest", 1),))
    honest, vicious, _ = printed_cells(markdown)
    assert honest[-1] == "2 of 3"
    assert vicious[-1] == "3"
    assert "(1/3 failed)" in vicious[3], "a seed without its honest model"
    assert "MNIST, honest, seed 1: the loss, is nan" in markdown
    row = rows_of(text)[1]
    assert (row["auc_n"], row["difference_n"]) == ("3", "2")


def test_models_that_all_failed_keep_their_rows(written: Written) -> None:
    lost = tuple(("mnist", role, seed) for role in ("honest", "vicious") for seed in range(3))
    _, markdown, latex = written(tasks=("mnist",), betas=(1.0,), failed=lost[3:])
    _, vicious, _ = printed_cells(markdown)
    assert vicious[2] == "failed (3 of 3 seeds)"
    assert vicious[3] == "failed"
    assert vicious[-1] == "0 of 3"
    assert "failed" in latex
    _, markdown, _ = written(tasks=("mnist",), betas=(1.0,), failed=lost[:3])
    assert printed_cells(markdown)[1][3] == "failed", "nothing to compare with"
    _, markdown, _ = written(tasks=("mnist",), betas=(1.0,), failed=lost)
    assert "No model succeeded" in markdown
    text, markdown, _ = written(betas=(1.0,), failed=lost)
    assert "Images: 2,000 members, 2,000 non-members." in markdown
    assert [row["members"] for row in rows_of(text)] == ["", "", "2000", "2000"]


def test_without_honest_models_there_is_no_difference(written: Written, made_up: ModuleType) -> None:
    frame = made_up.membership(tasks=("mnist",), betas=(1.0,))
    _, markdown, _ = written(frame.loc[frame["role"] == "vicious"])
    assert [line[3] for line in printed_cells(markdown)] == ["–", "–"]


def test_a_rate_that_the_images_cannot_resolve_is_not_shown(written: Written) -> None:
    text, markdown, _ = written(tasks=("mnist",), images=500)
    assert "TPR at 1% FPR" in markdown
    assert "TPR at 0.1% FPR (%)" not in markdown
    assert {row["tpr_at_01fpr_mean"] for row in rows_of(text)} == {""}
    few, many = (written(tasks=(task,), images=n)[0] for task, n in (("mnist", 500), ("cifar10", 2000)))
    assert few != many


def test_where_some_images_resolve_a_rate_the_others_have_a_dash(written: Written, made_up: ModuleType) -> None:
    both = [made_up.membership(tasks=("mnist",), images=500), made_up.membership(tasks=("cifar10",))]
    _, markdown, _ = written(pd.concat(both))
    shown = [line[6] for line in printed_cells(markdown)]
    assert shown[:3] == ["–", "–", "–"]
    assert shown[3] == "0.20 ± 0.00"
    assert "Images: 500 members, 500 non-members (MNIST); 2,000 members, 2,000 non-members (CIFAR-10)." in markdown


def test_one_seed_has_no_interval_and_says_what_images_alone_do(written: Written) -> None:
    _, markdown, _ = written(tasks=("mnist",), seeds=1, synthetic=("mnist",))
    assert not any("±" in cell or "[" in cell for line in printed_cells(markdown) for cell in line)
    assert "Means over n = 1 model;" in markdown or "Means over n = 1 model." in markdown
    assert "95% interval of one model's AUC over images: ± 0.018." in markdown
    assert "the threshold is the best one: 0.020." in markdown
    for part in ("MNIST (synthetic stand-in)", "Data: synthetic stand-in.", "Seeds per model: 1."):
        assert part in markdown


def test_stars_need_five_models(written: Written) -> None:
    _, markdown, _ = written(tasks=("mnist",), betas=(3.0,), seeds=3)
    assert "\\*" not in printed_cells(markdown)[1][3]
    assert "No difference over fewer than 5 models has a star." in markdown
    _, markdown, _ = written(tasks=("mnist",), betas=(3.0,), seeds=6)
    assert printed_cells(markdown)[1][3].endswith("\\*")
    assert "has a star" not in markdown


def test_needs_rows(written: Written, made_up: ModuleType) -> None:
    with pytest.raises(DataError, match=r"membership\.csv: no rows"):
        written(made_up.membership().iloc[:0])
