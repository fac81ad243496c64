"""What is refused as results of an assessment: always by an error that names the file, and in no time."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from assessments_by_hand import HONEST, VICIOUS, Writer
from fuzzing import mutants

from vicious.results import schema
from vicious.results.agreement import write_estimators
from vicious.results.assessments import columns_of, read_assessments, read_images
from vicious.results.comparisons import write_comparisons
from vicious.results.flat import write_metrics
from vicious.results.per_class import class_means, write_per_class
from vicious.results.schema import COMPARED, ESTIMATORS_OF_ONE, SUMMARY, read_table
from vicious.results.summaries import write_summary
from vicious.system.errors import DataError, ViciousError

COLUMNS = ["image", "label", *dict.fromkeys([*schema.PER_IMAGE, *COMPARED])]


@pytest.fixture
def files(tmp_path: Path, assessment: Any) -> list[Path]:
    """The summaries of an honest and a vicious model, with all that lies beside them."""
    writer = Writer(tmp_path / "measured", assessment)
    for model in (HONEST, VICIOUS):
        frame = pd.DataFrame({name: np.linspace(0.1, 0.9, 6) for name in COLUMNS})
        frame[["image", "label"]] = np.arange(12).reshape(6, 2) // 2
        measures = dict.fromkeys((*schema.PER_IMAGE, *schema.BASELINE), 0.5)
        record = assessment("mnist", model, 0, images=6, **measures, risk_rank=3, risk_share=0.5, pixels=9)
        file = writer.write(record, frame)
        rows = [
            dict.fromkeys(ESTIMATORS_OF_ONE.columns, 1) | {"estimator": name, "kind": "ridge"}
            for name in ("risk", "risk95")
        ]
        ESTIMATORS_OF_ONE.write(ESTIMATORS_OF_ONE.frame(rows), file.with_name(f"estimators-{record['attack']}.csv"))
    return writer.files


def use(files: list[Path], out: Path) -> None:
    """All that is made of them."""
    write_summary(files, out / "main.csv")
    write_metrics(out / "main.csv", out / "metrics.json")
    write_comparisons(files, out / "comparisons.csv")
    write_per_class(files, out / "per_class.csv", out / "per_attribute.csv")
    write_estimators(files, out / "estimators.csv", out / "agreement.csv")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": 10**9}, "k holds 1000000000; expected a whole number from 1"),
        ({"k": "10"}, "k holds 10; expected a whole number"),
        ({"seed": None}, "seed holds None"),
        ({"seed": 10**30}, "seed holds 1000000"),
        ({"task": 3}, "task holds 3; expected text"),
        ({"psnr": "30"}, "psnr holds 30; expected a number"),
        ({"risk_rank": "x"}, "risk_rank holds x; expected a whole number"),
        ({"target": None}, "target: should be an object"),
        ({"target": {"architecture": {}, "schedule": None}}, r"target\.schedule: should be an object"),
        ({"attacker": {"schedule": []}}, r"attacker\.schedule: should be an object"),
        ({"images": {"test": -1}}, r"images\.test: should be greater than or equal to 1"),
        ({"label_names": "cat"}, "label_names: should be a valid"),
        ({"attributes": 3}, "attributes: should be a valid"),
    ],
)
def test_a_summary_of_another_type_or_range_is_refused(files: list[Path], changes: Any, words: str) -> None:
    read_assessments(files)
    files[0].write_text(json.dumps(json.loads(files[0].read_text()) | changes))
    with pytest.raises(DataError, match=words) as caught:
        read_assessments(files)
    assert str(files[0]) in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": 1, "a": 2}', '{"a": NaN}', "3", "\x00"])
def test_a_summary_that_is_no_standard_json_is_refused(files: list[Path], text: str) -> None:
    files[0].write_text(text)
    with pytest.raises(DataError, match="is damaged"):
        read_assessments(files)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array(["1"] * 6), "psnr is of type string, expected numbers"),
        (pa.array([True] * 6), "psnr is of type bool, expected numbers"),
        (pa.array([[1.0]] * 6), "psnr is of type list"),
        (pa.array(["1"] * 6).dictionary_encode(), "psnr is of type dictionary"),
        (pa.array([1.0] * 1_000_001), "it has 1,000,001 rows, expected at most 1,000,000"),
    ],
)
def test_a_parquet_of_another_kind_is_refused(tmp_path: Path, column: Any, words: str) -> None:
    pq.write_table(pa.table({"psnr": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=words):
        read_images(tmp_path / "a.parquet", ["psnr"])


def test_a_csv_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content, words in (
        (b"a,b\n1,2,3\n", "more values than there are columns"),
        (b"\xff\xfe", "can't decode"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            read_table(SUMMARY, path)
    os.truncate(path, 2**28 + 1)
    with pytest.raises(DataError, match="larger than 268,435,456 bytes"):
        read_table(SUMMARY, path)


def read_parquets(files: list[Path], out: Path) -> None:
    """Every column of every image."""
    for one in read_assessments(files):
        one.images(columns_of(one.parquet))
        class_means(one.parquet, 10)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    ("name", "number", "how"),
    [
        ("risk-joint.json", 300, lambda files, out: write_summary(files, out / "main.csv")),
        ("risk-joint.json", 50, use),
        ("risk-joint.parquet", 300, read_parquets),
        ("estimators-joint.csv", 100, lambda files, out: write_estimators(files, out / "a.csv", out / "b.csv")),
    ],
)
def test_mutants_of_results_are_read_or_refused(
    files: list[Path], tmp_path: Path, name: str, number: int, how: Any
) -> None:
    use(files, tmp_path)
    chosen = files[1].with_name(name)
    for mutant in mutants(chosen.read_bytes(), number):
        chosen.write_bytes(mutant)
        with suppress(ViciousError):
            how(files, tmp_path)


@pytest.mark.fuzz
def test_mutants_of_a_csv_are_read_or_refused(files: list[Path], tmp_path: Path) -> None:
    use(files, tmp_path)
    sound = (tmp_path / "main.csv").read_bytes()
    for mutant in mutants(sound, 150):
        (tmp_path / "main.csv").write_bytes(mutant)
        with suppress(ViciousError):
            write_metrics(tmp_path / "main.csv", tmp_path / "metrics.json")
