"""The shortcuts of the published code."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from placed import place
from report.made_up_study import VICIOUS

from vicious.report.tables import shortcuts_table


def test_by_hand() -> None:
    assert shortcuts_table.batched_mean(np.array([1.0, 1, 1, 0]), batch=3) == 0.5
    assert shortcuts_table.full_batches_mean(np.array([1.0, 1, 1, 0]), batch=3) == 1
    assert math.isnan(shortcuts_table.full_batches_mean(np.ones(2), batch=3))
    assert shortcuts_table.psnr_of_mean(np.array([0.01, 0.03])) == pytest.approx(-10 * np.log10(0.02))
    assert shortcuts_table.psnr_of_mean(np.zeros(2)) == 100
    # 260 images: the last ten have a batch of their own
    last = np.arange(260) >= 250
    mse = np.where(last, 0.1, 0.001)
    images = pd.DataFrame(
        {"ssim": last * 1.0, "risk": np.where(last, 3.0, 1.0), "mse": mse, "psnr": -10 * np.log10(mse)}
    )
    found = shortcuts_table.changes(images)
    assert found["ssim"] == pytest.approx(0.5 - 10 / 260)
    assert found["risk"] == pytest.approx(1 - (250 + 30) / 260)
    assert found["psnr"] == pytest.approx(-10 * np.log10(1.25 / 260) - (250 * 30 + 10 * 10) / 260)
    assert found["psnr"] < 0, "by Jensen's inequality"


def test_is_nothing_where_the_last_batch_is_full(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), images=500, failed=[("mnist", VICIOUS, 0)])
    shortcuts_table.write(case.files, place(shortcuts_table, tmp_path / "out"))
    table = pd.read_csv(tmp_path / "out/shortcuts_table.csv").set_index("role")
    assert set(table["last_batch"]) == {250}
    assert (table[["ssim_change_mean", "risk_change_mean", "risk_change_sd"]] == 0).all(axis=None)
    assert (table["psnr_change_mean"] < 0).all()
    assert table.loc["vicious", "psnr_change_n"] == 2
    text = (tmp_path / "out/shortcuts_table.md").read_text(encoding="utf-8")
    assert "0.00000 ± 0.00000 (1/3 failed)" in text
    assert "autoencoder" in text


def test_reads_the_images(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), seeds=2)
    shortcuts_table.write(case.files, place(shortcuts_table, tmp_path / "out"))
    table = pd.read_csv(tmp_path / "out/shortcuts_table.csv").set_index("role")
    frames_ = [pd.read_parquet(file.with_suffix(".parquet")) for file in case.files if "vicious" in str(file)]
    risk = [frame["risk"].iloc[:250].mean() - frame["risk"].mean() for frame in frames_]
    assert table.loc["vicious", "risk_change_mean"] == pytest.approx(np.mean(risk), rel=1e-6)
    assert table.loc["vicious", "risk_change_sd"] == pytest.approx(np.std(risk, ddof=1), rel=1e-6)
    assert table.loc["vicious", "last_batch"] == 10


def test_without_a_full_batch(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), seeds=1, images=240)
    shortcuts_table.write(case.files, place(shortcuts_table, tmp_path / "out"))
    assert pd.read_csv(tmp_path / "out/shortcuts_table.csv")["risk_change_mean"].isna().all()
    text = (tmp_path / "out/shortcuts_table.md").read_text(encoding="utf-8")
    assert "| 240 | 240 | 0.00000 | – |" in text
    assert "failed" not in text.split("\n\n")[1]
