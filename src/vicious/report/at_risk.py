"""What tables 6 and 7 share: reading measures by class and by attribute, and telling the settings used."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from vicious.report import frames
from vicious.report.headline import headline
from vicious.system.errors import MixedResultsError

PERCENT = 100.0
CHOICE = (
    "Vicious models: those with the smallest beta_R, told as failed where they failed, whatever a larger one gives."
)
"""A caption's sentence on :func:`by_task`."""


def read(path: Path, text: Sequence[str], numbers: Sequence[str], key: Sequence[str]) -> pd.DataFrame:
    """Read a CSV strictly: text stays text, and an empty number is NaN. It may have no rows.

    Args:
        path: of the CSV.
        text, numbers: columns that it must have.
        key: columns that tell its rows apart.

    Raises:
        DataError: it is missing, damaged, or lacks a column.
        MixedResultsError: a row appears twice, or a task has several data sources.
    """
    frame = frames.read_table(path, text, numbers, empty=True)
    frames.unique(frame, key, str(path))
    several = [str(task) for task, sources in frame.groupby("task")["source"] if sources.nunique() > 1]
    if several:
        raise MixedResultsError(f"{path}: {', '.join(several)} mixes data sources: run the step that writes it again")
    return frame


def by_task(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Each task in order, with the rows of honest and of vicious models that stand for it (:func:`headline`)."""
    chosen = headline(rows.loc[rows["role"].isin(("honest", "vicious"))])
    tasks = sorted(set(chosen["task"]), key=frames.order)
    sides = ([chosen.loc[(chosen["task"] == task) & (chosen["role"] == role)] for role in _ROLES] for task in tasks)
    return [(task, honest, vicious) for task, (honest, vicious) in zip(tasks, sides, strict=True)]


def label(task: str, role: str, outputs: str, beta_r: float) -> str:
    """A model's name, such as ``CIFAR-10, vicious (logits, beta_R = 3)``."""
    beta = f", beta_R = {beta_r:g}" if role == "vicious" else ""
    return f"{frames.title(task)}, {role} ({outputs}{beta})"


def notes(table: pd.DataFrame) -> list[str]:
    """Why seeds have no result, a line for each; ``failures`` of each row joins them by semicolons."""
    found = (note for text in table["failures"] for note in str(text).split("; ") if note)
    return list(dict.fromkeys(found))


def settings(table: pd.DataFrame, sides: Sequence[str], images: Mapping[str, int]) -> str:
    """Sentences for a caption: data source, test images, seeds, outputs and beta_R.

    Args:
        table: with ``task``, ``source``, ``outputs``, ``beta_r``, and ``_seeds`` and ``_failed`` of each side.
        sides: prefixes of these columns.
        images: number of test images of each task; 0 where unknown.
    """
    told: dict[str, list[tuple[str, str]]] = {}
    for row in table.drop_duplicates("task").to_dict("records"):
        seeds = max(row[f"{side}_seeds"] + row[f"{side}_failed"] for side in sides)
        values = {
            "Data": frames.source_words(row["source"]),
            "Test images": f"{images[row['task']]:,}" if images[row["task"]] else "",
            "Seeds per model": f"{seeds}",
            "Outputs": row["outputs"],
            "Weight of the reconstruction loss in vicious training": (
                f"beta_R = {row['beta_r']:g}" if pd.notna(row["beta_r"]) else ""
            ),
        }
        for name, value in values.items():
            told.setdefault(name, []).extend([(row["task"], value)] if value else [])
    return " ".join(frames.listed(name, items) for name, items in told.items() if items)


_ROLES = ("honest", "vicious")
