"""Accuracy of each attribute."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import printed_cells
from placed import place

from vicious.report.tables import attributes_accuracy_table
from vicious.results.schema import PER_ATTRIBUTE
from vicious.system.errors import DataError


def _attributes(
    seeds: int = 2, k: int = 40, betas: Any = (1.0, 3.0), failed: Any = (), source: str = "official"
) -> pd.DataFrame:
    generator = np.random.default_rng(12)
    rows = []
    for role, beta in (("honest", 0.0), *(("vicious", beta) for beta in betas)):
        for seed in range(seeds):
            told = {
                **{"dataset": "celeba", "task": "celeba", "role": role, "outputs": "logits", "beta_r": beta},
                **{"seed": seed, "source": source},
            }
            if (role, seed) in failed:
                rows.append(told | {"attribute": "", "n": 0, "status": "failed", "reason": "the loss; is nan"})
                continue
            for index in range(k):
                positives = 100 + 20 * index
                values = {
                    "accuracy": generator.uniform(0.7, 0.99),
                    "balanced": generator.uniform(0.5, 0.9),
                    "majority": 1 - positives / 2000,
                }
                row = told | {"attribute": f"Has_{index}", "n": 2000, "positives": positives, "status": "ok"}
                rows.append(row | values | {"reason": ""})
    return pd.DataFrame(rows, columns=list(PER_ATTRIBUTE.columns))


def _written(frame: Any, tmp_path: Path) -> tuple[Any, ...]:
    frame.to_csv(tmp_path / "per_attribute.csv", index=False)
    paths = attributes_accuracy_table.write(
        tmp_path / "per_attribute.csv", place(attributes_accuracy_table, tmp_path / "out")
    )
    return tuple(path.read_text(encoding="utf-8") for path in paths)


def test_agrees_with_numpy_and_marks_what_is_below_the_majority(tmp_path: Path) -> None:
    frame = _attributes()
    text, markdown, latex = _written(frame, tmp_path)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["attribute"] for row in rows] == [f"Has_{index}" for index in range(40)]
    marked = 0
    for row, line in zip(rows, printed_cells(markdown), strict=True):
        own = frame.loc[frame["attribute"] == row["attribute"]]
        honest = 100 * own.loc[own["role"] == "honest", "accuracy"].to_numpy()
        vicious = 100 * own.loc[(own["role"] == "vicious") & (own["beta_r"] == 1.0), "accuracy"].to_numpy()
        assert float(row["honest_accuracy_mean"]) == pytest.approx(np.mean(honest))
        assert float(row["vicious_accuracy_sd"]) == pytest.approx(np.std(vicious, ddof=1))
        assert float(row["difference_mean"]) == pytest.approx(np.mean(vicious - honest))
        assert float(row["difference_sd"]) == pytest.approx(np.std(vicious - honest, ddof=1))
        majority = float(row["majority"])
        assert majority == pytest.approx(100 * own["majority"].iloc[0])
        below = [name for name, values in (("honest", honest), ("vicious", vicious)) if np.mean(values) < majority]
        assert row["below_majority"] == line[-1] == ", ".join(below)
        marked += "honest" in below
    assert f"honest, {marked} of 40 attributes" in markdown
    assert "negatives/positives" in markdown
    assert "Has 39" in latex
    assert "mean over attributes" not in markdown


def test_tells_a_failed_seed(tmp_path: Path) -> None:
    text, markdown, _ = _written(_attributes(failed=(("honest", 1),)), tmp_path)
    assert markdown.count("(1 seed; 1/2 failed)") == 3 * 40, "plain, balanced, and the difference"
    assert "CelebA, honest (logits), seed 1: the loss, is nan" in markdown
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["honest_seeds"], row["honest_failed"], row["vicious_seeds"]) == ("1", "1", "2")
    assert row["difference_n"] == "1"
    vicious_only = _attributes().query("role == 'vicious'")
    assert {line[8] for line in printed_cells(_written(vicious_only, tmp_path)[1])} == {"–"}
    apart = _attributes(failed=(("honest", 1), ("vicious", 0)))
    assert {line[8] for line in printed_cells(_written(apart, tmp_path)[1])} == {"failed (2 of 2 seeds)"}


def test_keeps_models_that_failed_throughout(tmp_path: Path) -> None:
    honest = (("honest", 0), ("honest", 1))
    _, markdown, _ = _written(_attributes(failed=honest), tmp_path)
    assert {line[4] for line in printed_cells(markdown)} == {"failed (2 of 2 seeds)"}
    assert {line[6] for line in printed_cells(markdown)} == {"failed (2 of 2 seeds)"}, "balanced"
    assert {line[8] for line in printed_cells(markdown)} == {"failed (2 of 2 seeds)"}, "the difference"
    assert "are named: honest, without a result; vicious, " in markdown
    _, markdown, _ = _written(_attributes(failed=(*honest, ("vicious", 0), ("vicious", 1))), tmp_path)
    assert printed_cells(markdown)[0][:2] == ["CelebA", "all"]
    assert markdown.count("failed (2 of 2 seeds)") == 2
    assert "honest, without a result; vicious, without a result" in markdown


def test_prints_each_value_in_its_column(tmp_path: Path) -> None:
    frame = _attributes(seeds=1, k=1)
    frame.loc[frame["role"] == "honest", ["accuracy", "balanced"]] = [0.91, 0.62]
    frame.loc[frame["beta_r"] == 1.0, ["accuracy", "balanced"]] = [0.873, 0.584]
    frame[["positives", "majority"]] = [100, 0.88]
    _, markdown, _ = _written(frame, tmp_path)
    values = ["5.0", "88.00", "91.00", "87.30", "62.00", "58.40", "-3.70", "vicious"]
    assert printed_cells(markdown) == [["CelebA", "Has 0", *values]]


def test_calls_no_rounding_below_the_majority(tmp_path: Path) -> None:
    frame = _attributes(seeds=3, k=1)
    share = next(v for v in np.arange(1, 1000) / 1000 if np.mean([v * 100] * 3) < v * 100)
    frame[["accuracy", "majority"]] = share
    text, markdown, _ = _written(frame, tmp_path)
    assert next(csv.DictReader(io.StringIO(text)))["below_majority"] == ""
    assert "honest, 0 of 1 attributes; vicious, 0 of 1 attributes" in markdown
    one_image = frame.assign(accuracy=share - 1 / 20_000 / 3)
    assert "honest, 1 of 1 attributes" in _written(one_image, tmp_path)[1]


def test_of_a_single_seed_on_stand_ins(tmp_path: Path) -> None:
    _, markdown, _ = _written(_attributes(seeds=1, source="synthetic"), tmp_path)
    assert not any("±" in cell for line in printed_cells(markdown) for cell in line)
    for part in ("CelebA (synthetic stand-in)", "Data: synthetic stand-in.", "Seeds per model: 1.", "2,000"):
        assert part in markdown


def test_needs_attributes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"per_attribute\.csv has no rows.*labels are attributes"):
        _written(_attributes().iloc[:0], tmp_path)
