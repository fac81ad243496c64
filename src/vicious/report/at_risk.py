"""What the tables by class and by attribute share: the models that stand for a task, and the conditions."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vicious.report import frames
from vicious.report.headline import headline
from vicious.report.text import span

PERCENT = 100.0
CHOICE = (
    "Vicious models: those with the smallest beta_R, shown as failed where they failed, whatever a larger one gives."
)
"""A note on :func:`by_task`."""


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


def counts(table: pd.DataFrame, sides: Sequence[str], images: Mapping[str, int]) -> str:
    """A caption's sentence: ``Means over 3 seeds; 10,000 test images.``; see :func:`conditions`."""
    seeds = sorted(
        {max(int(row[f"{side}_seeds"] + row[f"{side}_failed"]) for side in sides) for row in table.to_dict("records")}
    )
    known = sorted({number for number in images.values() if number})
    of_images = f"; {span([f'{number:,}' for number in known])} test images" if known else ""
    return f"Means over n = {span(seeds)} {'seed' if seeds == [1] else 'seeds'}{of_images}."


def conditions(table: pd.DataFrame, sides: Sequence[str], images: Mapping[str, int]) -> str:
    """Sentences: data source, test images, seeds, outputs and beta_R.

    Args:
        table: with ``task``, ``source``, ``outputs``, ``beta_r``, and ``_seeds`` and ``_failed`` of each side.
        sides: prefixes of these columns.
        images: number of test images of each task; 0 where unknown.
    """
    found: dict[str, list[tuple[str, str]]] = {}
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
            found.setdefault(name, []).extend([(row["task"], value)] if value else [])
    return " ".join(frames.listed(name, items) for name, items in found.items() if items)


_ROLES = ("honest", "vicious")
