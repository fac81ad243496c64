"""Table 10: what thresholds from honest models alone call vicious, on the same dataset and on others."""

from pathlib import Path

import numpy as np
import pandas as pd

from vicious.defense.groups import VICIOUS
from vicious.defense.thresholds import COLUMNS, HELD_OUT, SPREADS
from vicious.report import frames, judged, tables
from vicious.report.tables import Column, Value

_NUMBERS = ("n_user", "models", "references", "verdicts", "failed", "share", "outside")
_TEXT = tuple(name for name in COLUMNS if name not in _NUMBERS)
_COLUMNS = ("dataset", "title", "source", *COLUMNS[1:])
PERCENT = 100.0


def write(summary: Path, called: Path, out: Path) -> tuple[Path, ...]:
    """Write table10.csv, table10.md and table10.tex below ``out``, and return their paths.

    Args:
        summary: the main comparison's summary, for the data source and what failed.
        called: detection_called.csv.
        out: folder.

    Raises:
        DataError: an input is missing, damaged, or lacks a column.
        MixedResultsError: a share appears twice, or is of a dataset that the summary lacks.
        StorageError: a file cannot be written.
    """
    rows = frames.read_summary(Path(summary))
    frame = frames.read_table(Path(called), _TEXT, _NUMBERS, empty=True)
    frames.unique(frame, ("dataset", "detector", "n_user", "reference", "group"), str(called))
    table = table10(rows, frame)
    failed = [*judged.failures(rows), *failures(table)]
    return tables.write(10, table, PRINTED, lines(table), caption(table, rows), Path(out), failed)


def table10(summary: pd.DataFrame, called: pd.DataFrame) -> pd.DataFrame:
    """The numbers of table 10: the rows of :func:`vicious.defense.thresholds.called`, with ``share`` and
    ``outside`` in percent.

    Datasets come in the catalogue's order, with their title and data source.
    """
    table = called.assign(share=PERCENT * called["share"], outside=PERCENT * called["outside"])
    return judged.with_titles(table, summary, ("dataset", "reference"))[list(_COLUMNS)]


PRINTED = (
    Column("title", "Dataset", text=True),
    Column("detector", "Detector", text=True),
    Column("n", "n"),
    Column("held", "Honest, held out (%)", r"\shortstack{Honest,\\held out (\%)}", decimals=1),
    Column("recipes", "Honest, other recipes (%)", r"\shortstack{Honest, other\\recipes (\%)}", decimals=1),
    Column("vicious", "Vicious (%)", r"\shortstack{Vicious\\(\%)}", decimals=1),
    Column("held_other", "Honest, threshold from elsewhere (%)", r"\shortstack{Honest,\\elsewhere (\%)}", decimals=1),
    Column(
        "vicious_other", "Vicious, threshold from elsewhere (%)", r"\shortstack{Vicious,\\elsewhere (\%)}", decimals=1
    ),
    Column("references", "Honest references", r"\shortstack{Refer-\\ences}"),
)


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :data:`PRINTED`."""
    printed: list[dict[str, Value]] = []
    for _, block in table.groupby("dataset", sort=False):
        for index, ((detector, _), rows) in enumerate(block.groupby(["detector", "n_user"], sort=False)):
            own = rows["reference"] == rows["dataset"]
            held, vicious = rows["group"] == HELD_OUT, rows["group"] == VICIOUS
            recipes = rows["group"].str.startswith("honest") & ~held
            references = rows.loc[own, "references"]
            printed.append(
                {
                    "title": ""
                    if index
                    else frames.marked_title(str(rows["dataset"].iloc[0]), str(rows["source"].iloc[0])),
                    "detector": str(detector).replace("_", " "),
                    "n": int(rows["n_user"].iloc[0]),
                    "held": _mean(rows.loc[own & held, "share"]),
                    "recipes": _mean(rows.loc[own & recipes, "share"]),
                    "vicious": _mean(rows.loc[own & vicious, "share"]),
                    "held_other": _mean(rows.loc[~own & held, "share"]),
                    "vicious_other": _mean(rows.loc[~own & vicious, "share"]),
                    "references": int(references.iloc[0]) if len(references) else None,
                }
            )
    return printed


def caption(table: pd.DataFrame, summary: pd.DataFrame) -> str:
    """The caption, with the settings used and how to read the cells."""
    honest = {group for group in table["group"] if group.startswith("honest")} - {HELD_OUT}
    recipes = sorted(group.removeprefix("honest, ") for group in honest)
    told = f" Other recipes: {', '.join(recipes)}; mean over them." if recipes else ""
    return (
        "What a threshold that needs no vicious example calls vicious: share of verdicts, a verdict being one sample of n of the "
        f"user's own images. The threshold lies {SPREADS:g} standard deviations above the mean score of verdicts on honest "
        "reference models, by verdicts on other samples of images. Honest, held out: each model by the threshold from the others. Honest, other recipes: models of "
        "the same data trained otherwise; a detector that calls them vicious dislikes a recipe. Vicious: the more the better. "
        "From elsewhere: thresholds from the honest models of every other dataset, mean over these. References: honest models "
        f"behind the threshold. An en dash: no such model, or too few references.{told} {judged.SAMPLES} {judged.settings(summary)}"
    )


def failures(table: pd.DataFrame) -> list[str]:
    """A line for each group of models of which verdicts have no score."""
    own = table.loc[(table["reference"] == table["dataset"]) & (table["failed"] > 0)]
    counts = own.groupby(["dataset", "group"], sort=False)[["failed", "verdicts"]].sum()
    return [
        f"{frames.title(str(dataset))}, {group}: {row.failed:g} of {row.verdicts:g} verdicts have no score"
        for (dataset, group), row in zip(counts.index, counts.itertuples(), strict=True)
    ]


def _mean(shares: "pd.Series[float]") -> float | None:
    known = shares.dropna()
    return float(np.mean(known)) if len(known) else None
