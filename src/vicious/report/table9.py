"""Table 9: how well each detector tells vicious from honest models, and what a verdict costs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.defense.groups import VICIOUS, of_weight
from vicious.report import frames, judged, tables
from vicious.report.tables import Column, Value
from vicious.system.errors import DataError

_TEXT = ("dataset", "detector")
_WEIGHT = of_weight(0).removesuffix("0")
"""What servers of one weight of the reconstruction loss begin with."""
_NUMBERS = (
    *("n_user", "honest_models", "vicious_models", "failed"),
    *("auroc", "auroc_low", "auroc_high", "tpr_at_5fpr"),
)
_COLUMNS = ("dataset", "title", "source", *_TEXT[1:], "server", *_NUMBERS, "seconds")
_AGAIN = "run the step that writes it again"


def write(summary: Path, separation: Path, verdicts: Iterable[Path], out: Path) -> tuple[Path, ...]:
    """Write table9.csv, table9.md and table9.tex below ``out``, and return their paths.

    Args:
        summary: the main comparison's summary, for the data source and what failed.
        separation: detection_summary.csv.
        verdicts: provenance of the judgements, which holds their times.
        out: folder.

    Raises:
        DataError: an input is missing, damaged, or lacks a column.
        MixedResultsError: a separation appears twice, or is of a dataset that the summary lacks.
        StorageError: a file cannot be written.
    """
    rows = frames.read_summary(Path(summary))
    table = table9(rows, read_separation(Path(separation)), read_seconds(verdicts))
    return tables.write(9, table, columns(table), lines(table), caption(table, rows), Path(out), judged.failures(rows))


def read_separation(path: Path) -> pd.DataFrame:
    """Read and check a detection_summary.csv, servers that know of detectors left out; raises as :func:`write`."""
    frame = frames.read_table(path, (*_TEXT, "server"), _NUMBERS)
    frames.unique(frame, ("dataset", "detector", "n_user", "server"), str(path))
    plain = (frame["server"] == VICIOUS) | frame["server"].str.startswith(_WEIGHT)
    return frame.loc[plain].reset_index(drop=True)


def read_seconds(files: Iterable[Path]) -> pd.DataFrame:
    """Mean seconds of a verdict over models, by ``dataset``, ``detector`` and ``n_user``; raises as :func:`write`."""
    found: list[dict[str, Any]] = []
    for file in map(Path, files):
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            dataset = Path(record["settings"]["data"]).name
            found += [
                {"dataset": dataset, "detector": detector, "n_user": float(n), "seconds": float(seconds)}
                for detector, of_number in (record.get("measured") or {}).items()
                for n, seconds in of_number.items()
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"cannot read the times of verdicts in {file} ({error!r}): {_AGAIN}") from error
    key = ["dataset", "detector", "n_user"]
    frame = pd.DataFrame(found, columns=[*key, "seconds"])
    return frame.groupby(key, sort=False)["seconds"].mean().reset_index()


def table9(summary: pd.DataFrame, separation: pd.DataFrame, seconds: pd.DataFrame) -> pd.DataFrame:
    """The numbers of table 9, a row for each dataset, detector, number of user images and ``server``: all vicious models, and
    those of each weight where they have several.

    ``auroc`` (0.5 is chance) has its 95% interval over models; ``tpr_at_5fpr`` is the share of verdicts on vicious models above
    the lowest threshold that calls at most 5% of those on honest ones vicious; ``failed`` counts models of which a verdict has
    no score;
    ``seconds`` is the mean time of a verdict, empty where none was taken.
    """
    table = separation.merge(seconds, how="left", on=["dataset", "detector", "n_user"])
    return judged.with_titles(table, summary)[list(_COLUMNS)]


def columns(table: pd.DataFrame) -> list[Column]:
    """The columns to print: two for each number of user images, and the time for the largest."""
    numbers = _numbers(table)
    return [
        Column("title", "Dataset", text=True),
        Column("detector", "Detector", text=True),
        *(
            column
            for n in numbers
            for column in (
                Column(f"auroc{n}", f"AUROC, n = {n}", text=True),
                Column(f"tpr{n}", f"TPR at 5% FPR, n = {n}", rf"\shortstack{{TPR at 5\%\\FPR, $n = {n}$}}", decimals=2),
            )
        ),
        *(
            [Column("weights", f"AUROC by beta_R, n = {numbers[-1]}", text=True)]
            if table["server"].nunique() > 1
            else []
        ),
        Column("models", "Models, honest + vicious", r"\shortstack{Models,\\honest + vicious}", text=True),
        Column("seconds", f"Seconds, n = {numbers[-1]}" if numbers else "Seconds", decimals=2),
    ]


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :func:`columns`."""
    printed: list[dict[str, Value]] = []
    numbers = _numbers(table)
    for _, block in table.groupby("dataset", sort=False):
        for index, detector in enumerate(dict.fromkeys(block["detector"])):
            mine = block.loc[block["detector"] == detector]
            rows = {int(row["n_user"]): row for row in mine.loc[mine["server"] == VICIOUS].to_dict("records")}
            first = next(iter(rows.values()))
            line: dict[str, Value] = {
                "title": "" if index else frames.marked_title(first["dataset"], first["source"]),
                "detector": detector.replace("_", " "),
                "weights": _by_weight(mine.loc[mine["n_user"] == numbers[-1]]),
                "models": f"{first['honest_models']:g} + {first['vicious_models']:g}",
                "seconds": _number(rows.get(numbers[-1]), "seconds"),
            }
            for n in numbers:
                line[f"auroc{n}"], line[f"tpr{n}"] = _auroc(rows.get(n)), _number(rows.get(n), "tpr_at_5fpr")
            printed.append(line)
    return printed


def caption(table: pd.DataFrame, summary: pd.DataFrame) -> str:
    """The caption, with the settings used and how to read the cells."""
    few = float(table[["honest_models", "vicious_models"]].to_numpy(dtype=float).min())
    warning = f" With as few as {few:g} models of a kind, read an AUROC as an order, not as a rate." if few < 10 else ""
    by_weight = (
        " AUROC by beta_R: of the vicious models of each weight alone; all else is over all of them."
        if table["server"].nunique() > 1
        else ""
    )
    return (
        "How well each detector tells vicious from honest models by n of the user's own labelled images. AUROC: chance that a "
        "verdict on a vicious model lies above one on an honest model, ties half, a verdict being the score of one sample of user images; 0.5 is guessing, below it the detector points the other way; "
        "in brackets the 95% interval over models, where there are at least two of each kind. TPR: share of verdicts on vicious models "
        "above the lowest threshold that calls at most 5% of those on honest ones vicious. combined: log-odds of a logistic regression over those of the others that judged all datasets, fitted on other "
        "datasets only. Seconds: mean time of one verdict on this machine."
        f"{by_weight}{warning} {judged.SAMPLES} {judged.settings(summary)}"
    )


def _numbers(table: pd.DataFrame) -> list[int]:
    return sorted({int(n) for n in table["n_user"]})


def _by_weight(rows: pd.DataFrame) -> str:
    """The AUROC for each weight: ``0.3: 0.88; 1: 1.00``."""
    found = {str(row["server"]).removeprefix(_WEIGHT): row["auroc"] for row in rows.to_dict("records")}
    found.pop(VICIOUS, None)
    return "; ".join(
        f"{weight}: {auroc:.2f}" if np.isfinite(auroc) else f"{weight}: failed" for weight, auroc in found.items()
    )


def _auroc(row: Mapping[Any, Any] | None) -> str | None:
    if row is None or not np.isfinite(row["auroc"]):
        return "failed" if row is not None and row["failed"] else None
    interval = f" [{row['auroc_low']:.2f}, {row['auroc_high']:.2f}]" if np.isfinite(row["auroc_low"]) else ""
    failed = f" ({row['failed']:g} failed)" if row["failed"] else ""
    return f"{row['auroc']:.2f}{interval}{failed}"


def _number(row: Mapping[Any, Any] | None, column: str) -> float | None:
    return None if row is None or not np.isfinite(row[column]) else float(row[column])
