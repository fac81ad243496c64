"""Scores of several models, joined."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.defense.evaluation.collect import collect_detection, failed_verdicts


def test_failed_models_are_counted(scores: Any, tmp_path: Path) -> None:
    frame = scores([0.1, 0.2], [0.5, 0.6])
    frame.loc[frame["role"].eq("vicious") & frame["seed"].eq(1), ["score", "status"]] = [np.nan, "failed"]
    frame.to_csv(tmp_path / "in.csv", index=False)
    collect_detection([tmp_path / "in.csv"], *(tmp_path / name for name in ("all.csv", "summary.csv", "flagged.csv")))
    row = pd.read_csv(tmp_path / "summary.csv").iloc[0]
    assert (row["vicious_models"], row["failed"]) == (1, 1)
    assert len(pd.read_csv(tmp_path / "all.csv")) == 12


def test_verdicts_that_failed_are_listed_by_model_and_reason(scores: Any, tmp_path: Path) -> None:
    frame = scores([0.1, 0.2], [0.5])
    frame.to_csv(tmp_path / "all.csv", index=False)
    assert failed_verdicts(tmp_path / "all.csv") == []
    lost = frame["role"].eq("vicious")
    frame.loc[lost, "score"], frame.loc[lost, "status"] = np.nan, "failed"
    frame.loc[lost, "reason"] = "the training failed"
    frame.to_csv(tmp_path / "all.csv", index=False)
    (line,) = failed_verdicts(tmp_path / "all.csv")
    assert "mnist, vicious (beta_R 1), seed 0: 3 verdicts without a score: the training failed" in line
