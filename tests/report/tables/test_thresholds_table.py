"""Table 10: which shares are printed where."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from placed import place

from vicious.report.tables import thresholds_table
from vicious.system.errors import MixedResultsError

GROUPS = {"honest, held out": 0.04, "honest, plain": 0.1, "honest, wider": 0.3, "vicious": 0.95}


def flagged(datasets: Any = ("mnist", "celeba"), numbers: Any = (50, 200)) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"dataset": dataset, "detector": detector, "n_user": n, "reference": reference, "group": group}
            | {"models": 3, "references": 5, "share": share if dataset == reference else share / 2, "outside": share}
            | {"verdicts": 15, "failed": 0}
            for dataset in datasets
            for detector in ("linear_decodability", "entropy")
            for n in numbers
            for reference in datasets
            for group, share in GROUPS.items()
        ]
    )


@pytest.fixture
def inputs(made_up: ModuleType, tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    def write(frame: Any, **options: Any) -> tuple[Path, Path]:
        made_up.summary(("mnist", "celeba"), **options).to_csv(tmp_path / "main.csv", index=False)
        frame.to_csv(tmp_path / "flagged.csv", index=False)
        return tmp_path / "main.csv", tmp_path / "flagged.csv"

    return write


def test_printed_shares(inputs: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    csv, text, _ = thresholds_table.write(
        *inputs(flagged(), synthetic=("mnist",)), place(thresholds_table, tmp_path / "out")
    )
    words = text.read_text(encoding="utf-8")
    assert "| MNIST (synthetic stand-in) | linear decodability | 50 | 4.0 | 20.0 | 95.0 | 2.0 | 47.5 | 5 |" in words
    assert "|  | linear decodability | 200 | 4.0 | 20.0 | 95.0 | 2.0 | 47.5 | 5 |" in words
    assert "Other recipes: plain, wider" in words
    assert len(pd.read_csv(csv)) == 64


def test_without_recipes_or_other_datasets_there_is_a_dash(
    inputs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    frame = flagged(("mnist",))
    frame = frame.loc[~frame["group"].isin(("honest, plain", "honest, wider", "honest, held out"))]
    _, text, _ = thresholds_table.write(*inputs(frame), place(thresholds_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    assert "| MNIST | linear decodability | 50 | – | – | 95.0 | – | – | 5 |" in words
    assert "Other recipes:" not in words


def test_no_threshold_at_all_leaves_the_table_empty(inputs: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    csv, text, _ = thresholds_table.write(*inputs(flagged().iloc[:0]), place(thresholds_table, tmp_path / "out"))
    assert pd.read_csv(csv).empty
    assert "Table 10" in text.read_text(encoding="utf-8")


def test_results_of_other_studies_are_refused(inputs: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    with pytest.raises(MixedResultsError, match="the summary has no cifar10"):
        thresholds_table.write(*inputs(flagged(("mnist", "cifar10"))), place(thresholds_table, tmp_path / "out"))
    with pytest.raises(MixedResultsError, match="several results"):
        thresholds_table.write(
            *inputs(pd.concat([flagged(), flagged().head(1)])), place(thresholds_table, tmp_path / "out")
        )
