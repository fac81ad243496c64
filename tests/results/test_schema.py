"""The schema of results: what is read is checked, and what is written follows it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vicious.results import schema
from vicious.results.schema import COLUMNS, KEY, SUMMARY, Table, check_table, read_table
from vicious.system.errors import DataError, MixedResultsError

TABLES = [value for value in vars(schema).values() if isinstance(value, Table)]
SMALL = Table("small", ("task", "seed", "status", "psnr", "n"), alike=(("task", "n"),))


def rows(**changes: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"task": ["a", "a"], "seed": [0, 1], "status": "ok", "psnr": [10.5, np.nan], "n": [5, 5]})
    return frame.astype(object).assign(**changes)


def read(frame: Any, tmp_path: Path) -> pd.DataFrame:
    frame.to_csv(tmp_path / "small.csv", index=False)
    return read_table(SMALL, tmp_path / "small.csv")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_of_every_table_is_known_once(table: Any) -> None:
    assert set(table.columns) <= set(COLUMNS)
    assert len(set(table.columns)) == len(table.columns)
    assert set(table.key) <= set(table.columns)
    assert [name for name in table.key if name in KEY] == [name for name in KEY if name in table.columns]
    assert table.group == tuple(name for name in table.key if name in KEY and name != "seed")


def test_text_stays_text_and_an_empty_number_is_nan(tmp_path: Path) -> None:
    found = read(rows(task="NA"), tmp_path)
    assert found["task"].tolist() == ["NA", "NA"]
    assert found["psnr"].tolist() == pytest.approx([10.5, np.nan], nan_ok=True)
    assert set(found.drop(columns=["task", "status"]).dtypes) == {np.dtype(float)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"psnr": "high"}, "column psnr holds high; expected a number from 0 to 100: run the step"),
        ({"psnr": 101.0}, "column psnr holds 101.0; expected a number from 0 to 100"),
        ({"seed": 0.5}, r"column seed holds 0\.5; expected a whole number from 0"),
        ({"status": "fine"}, "column status holds fine; expected ok or failed"),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_refused(tmp_path: Path, changes: Any, words: str) -> None:
    with pytest.raises(DataError, match=rf"small\.csv: {words}"):
        read(rows(**changes), tmp_path)
    with pytest.raises(DataError, match=rf"small: {words}"):
        check_table(SMALL, rows(**changes))


def test_rounding_of_a_mean_is_no_damage() -> None:
    check_table(SMALL, rows(psnr=100.00001))


def test_a_missing_column_no_rows_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column psnr, n is missing; found task, seed, status: run the step"):
        check_table(SMALL, rows().drop(columns=["psnr", "n"]))
    with pytest.raises(DataError, match="no rows"):
        check_table(SMALL, rows().iloc[:0])
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        read_table(SMALL, tmp_path / "none.csv")


def test_a_summary_from_before_identification_is_refused_by_its_columns(tmp_path: Path) -> None:
    new = [name for name in SUMMARY.columns if name.startswith(("top1", "top10", "median_rank", "psnr_p99"))]
    old = pd.DataFrame("", index=[0], columns=[name for name in SUMMARY.columns if name not in new])
    old.to_csv(tmp_path / "main.csv", index=False)
    with pytest.raises(
        DataError, match=r"main\.csv: column top1, top10, .* is missing; .*: run the step that writes it"
    ):
        read_table(SUMMARY, tmp_path / "main.csv")


def test_repeated_and_mixed_rows_are_refused() -> None:
    with pytest.raises(MixedResultsError, match="several results for task a, seed 0"):
        check_table(SMALL, rows(seed=0))
    with pytest.raises(MixedResultsError, match="task a mixes results with n = 5, 6"):
        check_table(SMALL, rows(n=[5, 6]))


def test_frames_have_all_columns_in_order_and_whole_numbers_stay_whole() -> None:
    frame = schema.COMPARISONS.frame([{"task": "a", "n_images": 3}, {"task": "a"}])
    assert tuple(frame.columns) == schema.COMPARISONS.columns
    assert str(frame["n_images"].dtype) == "Int64"


def test_a_new_measure_has_its_column_in_every_place(tmp_path: Path) -> None:
    """A file in metrics/measures adds a column to the tables of images and to the summary, and nothing else need
    change."""
    program = f"""
import vicious.metrics.measures as measures
measures.__path__.append({str(tmp_path)!r})
from vicious.results import schema
print(schema.PER_IMAGE, "mae" in schema.SUMMARY.columns, schema.COLUMNS["mae"].expected, schema.COLUMNS["mae"].unit)
"""
    (tmp_path / "mae.py").write_text(
        "UNIT = 'grey levels'\nLOW, HIGH = 0.0, 255.0\nCLOSER = -1.0\ndef mae(x, y): ...\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    columns = "'accuracy', 'mae', 'mse', 'psnr', 'ssim', 'risk', 'risk95', 'top1', 'top10'"
    columns += ", 'top1_same_answer', 'top10_same_answer'"
    assert found == f"({columns}) True a number from 0 to 255 grey levels\n"


def test_names_are_there_without_pandas_and_pytorch() -> None:
    program = "import sys; import vicious.results.schema; print({'pandas', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


def test_the_summary_tells_models_apart_by_all_that_assessments_record() -> None:
    assert SUMMARY.key == tuple(name for name in KEY if name not in ("recipe", "hidden"))
