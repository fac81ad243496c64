"""Table 9: what it prints of detectors, failures and times."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from placed import place

from vicious.report.tables import detection_table
from vicious.system.errors import DataError, MixedResultsError


def separation(datasets: Any = ("mnist", "celeba"), numbers: Any = (50, 200), failed: int = 0) -> pd.DataFrame:
    rows = [
        {
            **{
                "dataset": dataset,
                "detector": detector,
                "n_user": n,
                "server": "vicious",
                "honest_models": 3,
                "vicious_models": 4,
            },
            **{"failed": failed, "auroc": 0.91 - 0.1 * place, "auroc_low": 0.6, "auroc_high": 1.0},
            "tpr_at_5fpr": 0.75 - n / 1000,
        }
        for dataset in datasets
        for place, detector in enumerate(("linear_decodability", "entropy"))
        for n in numbers
    ]
    return pd.DataFrame(rows)


def verdicts(folder: Path, datasets: Any = ("mnist", "celeba")) -> list[Path]:
    files = []
    for index, dataset in enumerate((*datasets, *datasets)):
        measured = {"linear_decodability": {"50": 0.5, "200": 1.0 + index}, "entropy": {"50": 0.0, "200": 0.25}}
        file = folder / f"{index}.provenance.json"
        file.write_text(json.dumps({"settings": {"data": f"data/prepared/demo/{dataset}"}, "measured": measured}))
        files.append(file)
    return files


@pytest.fixture
def inputs(made_up: ModuleType, tmp_path: Path) -> Callable[..., tuple[Path, Path, list[Path]]]:
    def write(frame: Any = None, **options: Any) -> tuple[Path, Path, list[Path]]:
        made_up.summary(("mnist", "celeba"), **options).to_csv(tmp_path / "main.csv", index=False)
        (separation() if frame is None else frame).to_csv(tmp_path / "separation.csv", index=False)
        return tmp_path / "main.csv", tmp_path / "separation.csv", verdicts(tmp_path)

    return write


def test_each_weight_has_its_auroc(inputs: Callable[..., tuple[Path, Path, list[Path]]], tmp_path: Path) -> None:
    parts = [separation(), *(separation().assign(server=f"vicious, beta_R {beta}", auroc=beta) for beta in (0.3, 1))]
    csv, text, _ = detection_table.write(*inputs(pd.concat(parts)), place(detection_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    assert words.count("| 0.3: 0.30; 1: 1.00 | 3 + 4 |") == 4
    assert "AUROC by β_R, n = 200 |" in words
    assert set(pd.read_csv(csv)["server"]) == {"vicious", "vicious, beta_R 0.3", "vicious, beta_R 1"}


def test_printed_values(inputs: Callable[..., tuple[Path, Path, list[Path]]], tmp_path: Path) -> None:
    csv, text, latex = detection_table.write(*inputs(synthetic=("mnist",)), place(detection_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    interval = "0.91 [0.60, 1.00]"
    line = (
        f"| MNIST (synthetic stand-in) | linear decodability | {interval} | 0.70 | {interval} | 0.55 | 3 + 4 | 2.00 |"
    )
    assert line in words
    assert "|  | entropy | 0.81 [0.60, 1.00] | 0.70 | 0.81 [0.60, 1.00] | 0.55 | 3 + 4 | 0.25 |" in words
    assert "As few as" not in words
    assert "With as few as 3 models of a kind" in words
    frame = pd.read_csv(csv)
    assert len(frame) == 8
    of = frame.set_index(["dataset", "detector", "n_user"])["seconds"]
    assert of["mnist", "linear_decodability", 200] == pytest.approx((1.0 + 3.0) / 2)
    assert of["celeba", "linear_decodability", 200] == pytest.approx((2.0 + 4.0) / 2)
    assert latex.read_text(encoding="utf-8").count(r"\toprule") >= 1


def test_failures_and_gaps_are_shown(inputs: Callable[..., tuple[Path, Path, list[Path]]], tmp_path: Path) -> None:
    frame = separation(failed=2)
    frame.loc[0, ["auroc", "auroc_low", "auroc_high", "tpr_at_5fpr"]] = np.nan
    frame.loc[1, ["auroc_low", "auroc_high"]] = np.nan
    frame = frame.drop(index=2)
    _, text, _ = detection_table.write(*inputs(frame), place(detection_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    assert "| MNIST | linear decodability | failed | – | 0.91 (2 failed) | 0.55 |" in words
    assert "|  | entropy | – | – | 0.81 [0.60, 1.00] (2 failed) | 0.55 |" in words


def test_the_same_inputs_give_the_same_bytes(
    inputs: Callable[..., tuple[Path, Path, list[Path]]], tmp_path: Path
) -> None:
    given = inputs()
    one, two = (detection_table.write(*given, place(detection_table, tmp_path / name)) for name in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_odd_inputs_are_refused(inputs: Callable[..., tuple[Path, Path, list[Path]]], tmp_path: Path) -> None:
    summary, frame, files = inputs(separation(("mnist", "cifar10")))
    with pytest.raises(MixedResultsError, match="the summary has no cifar10"):
        detection_table.write(summary, frame, files, place(detection_table, tmp_path / "out"))
    summary, frame, files = inputs(pd.concat([separation(), separation().head(1)]))
    with pytest.raises(MixedResultsError, match="several results"):
        detection_table.write(summary, frame, files, place(detection_table, tmp_path / "out"))
    summary, frame, files = inputs()
    files[0].write_text("{")
    with pytest.raises(DataError, match=r"times of verdicts in .*0\.provenance\.json"):
        detection_table.write(summary, frame, files, place(detection_table, tmp_path / "out"))


def test_models_that_were_not_judged_have_no_time(
    inputs: Callable[..., tuple[Path, Path, list[Path]]], tmp_path: Path
) -> None:
    summary, frame, files = inputs()
    for file in files:
        file.write_text(json.dumps({"settings": {"data": "data/prepared/demo/mnist"}, "measured": {}}))
    csv, *_ = detection_table.write(summary, frame, files, place(detection_table, tmp_path / "out"))
    assert pd.read_csv(csv)["seconds"].isna().all()
