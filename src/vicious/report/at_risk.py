"""What the tables by class and by attribute share: the models that stand for a task, and the conditions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vicious.report import frames
from vicious.report.frames import OverSeeds
from vicious.report.headline import headline
from vicious.report.text import span

CHOICE = (
    "Vicious models: those with the smallest beta_R; one that failed is shown as failed, no larger beta_R replaces it."
)
"""A note on :func:`by_task`."""


def by_task(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Of each task in order, the rows of honest and of vicious models that stand for it (:func:`headline`)."""
    chosen = headline(rows.loc[rows["role"].isin(("honest", "vicious"))])
    tasks = [chosen.loc[chosen["task"] == task] for task in sorted(set(chosen["task"]), key=frames.order)]
    return [(here.loc[here["role"] == "honest"], here.loc[here["role"] == "vicious"]) for here in tasks]


def facts(honest: pd.DataFrame, vicious: pd.DataFrame) -> dict[str, Any]:
    first = pd.concat([vicious, honest]).iloc[0]
    beta_r = vicious["beta_r"].iloc[0] if len(vicious) else np.nan
    known = {name: first[name] for name in ("dataset", "task", "source", "outputs")}
    return {**known, "title": frames.title(first["task"]), "beta_r": beta_r}


def label(row: Mapping[Any, Any]) -> str:
    """A model's name, such as ``CIFAR-10, vicious (logits, beta_R = 3)``."""
    beta = f", beta_R = {row['beta_r']:g}" if row["role"] == "vicious" else ""
    return f"{frames.title(row['task'])}, {row['role']} ({row['outputs']}{beta})"


def cell(row: Mapping[Any, Any], side: str, measure: str) -> OverSeeds:
    """A measure of one side, from its columns ``_mean`` and ``_sd`` and the side's ``_seeds`` and ``_failed``."""
    mean, spread = (float(row[f"{side}_{measure}_{end}"]) for end in ("mean", "sd"))
    return OverSeeds(mean, spread, int(row[f"{side}_seeds"]), _planned(row, [side]))


def counts(table: pd.DataFrame, sides: Sequence[str], images: Mapping[str, int]) -> str:
    """A caption's sentence: ``Means over 3 seeds; 10,000 test images.``; see :func:`conditions`."""
    seeds = sorted({_planned(row, sides) for row in table.to_dict("records")})
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
    rows = table.drop_duplicates("task").to_dict("records")
    weight = "Weight of the reconstruction loss in vicious training"
    facts = {
        "Data": ((row["task"], frames.source_words(row["source"])) for row in rows),
        "Test images": ((row["task"], f"{images[row['task']]:,}") for row in rows if images[row["task"]]),
        "Seeds per model": ((row["task"], f"{_planned(row, sides)}") for row in rows),
        "Outputs": ((row["task"], row["outputs"]) for row in rows),
        weight: ((row["task"], f"beta_R = {row['beta_r']:g}") for row in rows if pd.notna(row["beta_r"])),
    }
    return " ".join(filter(None, (frames.listed(name, pairs) for name, pairs in facts.items())))


def _planned(row: Mapping[Any, Any], sides: Sequence[str]) -> int:
    return max(int(row[f"{side}_seeds"] + row[f"{side}_failed"]) for side in sides)
