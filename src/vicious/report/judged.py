"""What tables and figures of detectors share: datasets with their source, settings and failures of the models judged,
and the detectors that figures show in colour."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from vicious.report import frames
from vicious.system.errors import MixedResultsError

SHOWN = {
    "linear_decodability": "#000000",
    "gap_decodability": "#882255",
    "kernel_decodability": "#999933",
    "distance_correlation": "#E69F00",
    "own_decoder": "#56B4E9",
    "effective_rank": "#009E73",
    "combined": "#CC79A7",
}
"""Detectors that figures tell apart, with their colours: none of honest or vicious models."""

SAMPLES = "Samples of one size share no images, unless the test set is too small for that."
"""A sentence for captions."""


def words(detector: str) -> str:
    return detector.replace("_", " ")


def without_score(who: str, lost: "pd.Series[int]", total: int) -> list[str]:
    """Of how many of ``total`` models detectors have no score, given the number by detector: a line for each number."""
    return [
        f"{who}: no score by {', '.join(map(words, lost.index[lost == count]))} for {count} of {total} models"
        for count in sorted(set(lost[lost > 0]))
    ]


def auroc(row: Mapping[Any, Any] | None, interval: bool = False) -> str | None:
    """The AUROC of a row of separations for print, and the models without a score; None where there is nothing."""
    if row is None or pd.isna(row["auroc"]):
        return "failed" if row is not None and row["failed"] > 0 else None
    ends = f" [{row['auroc_low']:.2f}, {row['auroc_high']:.2f}]" if interval and pd.notna(row["auroc_low"]) else ""
    return f"{row['auroc']:.2f}{ends}" + (f" ({row['failed']:g} failed)" if row["failed"] else "")


def sources(summary: pd.DataFrame, named: Iterable[str]) -> dict[str, str]:
    """The data source of each dataset of the summary, which must know those ``named``."""
    source = dict(zip(summary["dataset"], summary["source"], strict=True))
    unknown = sorted(set(named) - set(source))
    if unknown:
        raise MixedResultsError(f"the summary has no {', '.join(unknown)}: run the steps that write both again")
    return source


def with_titles(frame: pd.DataFrame, summary: pd.DataFrame, named: Sequence[str] = ("dataset",)) -> pd.DataFrame:
    """Rows in the catalogue's order of ``dataset``, with its title and data source; columns ``named`` hold datasets."""
    source = sources(summary, (name for column in named for name in frame[column]))
    rows = frame.sort_values("dataset", key=lambda names: names.map(lambda name: frames.order(name)[0]), kind="stable")
    titled = rows.assign(title=rows["dataset"].map(frames.title), source=rows["dataset"].map(source))
    return titled.reset_index(drop=True)


def conditions(summary: pd.DataFrame) -> str:
    return frames.conditions(summary.loc[summary["role"].isin(("honest", "vicious"))])


def failures(summary: pd.DataFrame) -> list[str]:
    return frames.failures(group for group in frames.groups(summary) if group.role != "autoencoder")
