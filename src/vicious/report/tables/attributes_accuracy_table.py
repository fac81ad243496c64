"""Accuracy of each of CelebA's attributes, honest against vicious, beside the rate of the commoner value."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.report import at_risk, frames, render
from vicious.report.at_risk import PERCENT
from vicious.report.frames import OverSeeds
from vicious.report.render import Column, Table, Value
from vicious.report.text import ABOUT_SEEDS, Text
from vicious.results.schema import PER_ATTRIBUTE, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
_ROLES = ("honest", "vicious")
_COUNTS = ("n", "positives", "difference_n", *(f"{role}_{kind}" for role in _ROLES for kind in ("seeds", "failed")))
_COLUMNS = (
    *("dataset", "task", "title", "source", "outputs", "beta_r", "attribute", "n", "positives", "majority"),
    *(f"{role}_{kind}_{end}" for role in _ROLES for kind in ("accuracy", "balanced") for end in ("mean", "sd")),
    *("difference_mean", "difference_sd", "difference_n", "below_majority"),
    *(f"{role}_{kind}" for role in _ROLES for kind in ("seeds", "failed")),
    "failures",
)


def write(attributes: Path, out: Destination) -> tuple[Path, ...]:
    """Write the table from the accuracies by attribute."""
    frame = read_table(PER_ATTRIBUTE, Path(attributes))
    if frame.empty:
        raise DataError(
            f"{attributes} has no rows: the table of attributes needs a dataset whose labels are attributes"
        )
    table = numbers(frame)
    return render.write(out, Table(table, columns(), lines(table), text(table)))


def numbers(attributes: pd.DataFrame) -> pd.DataFrame:
    """The numbers: a row for each task and attribute, in official order.

    Of each task: the honest models, and the vicious ones with the smallest beta_R, on logits where there are any.
    Accuracies and ``majority``, the share of the commoner value in the test set, are percentages; ``_mean`` and ``_sd``
    (ddof 1) are over seeds, ``difference`` is vicious minus honest of the same seed, over the ``difference_n`` seeds
    that both have. ``below_majority`` names the models whose mean accuracy is below the majority rate by more than
    rounding. A task whose models all failed has one row, without an attribute.

    Args:
        attributes: rows of per_attribute.csv.
    """
    rows = [row for task in at_risk.by_task(attributes) for row in _task_rows(*task)]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(dict.fromkeys(_COUNTS, "Int64"))


def columns() -> list[Column]:
    """The columns to print."""
    return [
        Column("title", "Dataset", text=True),
        Column("attribute", "Attribute", text=True),
        Column("positives", "Positives (%)", decimals=1),
        Column("majority", "Majority rate (%)", decimals=2),
        Column("honest", "Honest (%)", decimals=2),
        Column("vicious", "Vicious (%)", decimals=2),
        Column("honest_balanced", "Honest, balanced (%)", decimals=2),
        Column("vicious_balanced", "Vicious, balanced (%)", decimals=2),
        Column("difference", "Vicious minus honest", decimals=2),
        Column("below_majority", "Below majority", text=True),
    ]


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print: every attribute."""
    printed: list[dict[str, Value]] = []
    for task, rows in table.groupby("task", sort=False):
        title = frames.marked_title(str(task), str(rows["source"].iloc[0]))
        for index, row in enumerate(rows.to_dict("records")):
            printed.append({"title": "" if index else title, **_line(row)})
    return printed


def text(table: pd.DataFrame) -> Text:
    """Caption and notes."""
    below = "; ".join(f"{role}, {_below(table, role)}" for role in _ROLES)
    images = _images(table)
    return Text(
        "Test accuracy of each attribute in %, honest against vicious models, beside the majority rate: the accuracy "
        "of always "
        f"answering the commoner value. {at_risk.counts(table, _ROLES, images)}",
        (
            f"Models with a mean accuracy below the majority rate are named: {below}.",
            "The loss weights positives by negatives/positives of the training images, as the original does. This "
            "lowers plain accuracy "
            "on rare attributes, even below the majority rate. It does not say that a model learned nothing of them: "
            "by guessing, the "
            "balanced accuracy is 50%. It is the mean of the accuracies on images with and without the attribute.",
            f"{at_risk.CHOICE} Positives: share of the test images.",
            f"{ABOUT_SEEDS} The difference, in percentage points, is over seeds that both have; others count as "
            "failed.",
            at_risk.conditions(table, _ROLES, images),
        ),
        render.reasons(table),
    )


_BOTH = "honest, vicious"
_ROUNDING = 1e-5
"""Percentage points: more than rounding makes, less than one test image of a million."""


def _below(table: pd.DataFrame, role: str) -> str:
    """How many of the attributes that a role has a result for are below the majority rate."""
    shown = table.loc[table[f"{role}_accuracy_mean"].notna()]
    if shown.empty:
        return "without a result"
    return f"{int(shown['below_majority'].isin((role, _BOTH)).sum())} of {len(shown)} attributes"


def _task_rows(task: str, honest: pd.DataFrame, vicious: pd.DataFrame) -> list[dict[str, Any]]:
    sides = {"honest": honest, "vicious": vicious}
    both = pd.concat(sides.values())
    first = (vicious if len(vicious) else honest).iloc[0]
    facts: dict[str, Any] = {name: first[name] for name in ("dataset", "task", "source", "outputs")}
    facts |= {"title": frames.title(task), "beta_r": vicious["beta_r"].iloc[0] if len(vicious) else np.nan}
    facts["failures"] = "; ".join(note for rows in sides.values() for note in _failures(rows))
    for role, rows in sides.items():
        failed = rows.loc[rows["status"] != "ok", "seed"].nunique()
        facts |= {f"{role}_seeds": rows["seed"].nunique() - failed, f"{role}_failed": failed}
    good = both.loc[both["status"] == "ok"]
    if good.empty:
        return [facts | {"attribute": "", "below_majority": ""}]
    return [facts | _attribute(rows) for _, rows in good.groupby("attribute", sort=False)]


def _attribute(rows: pd.DataFrame) -> dict[str, Any]:
    """The numbers of one attribute, from its rows of all seeds of both models."""
    first = rows.iloc[0]
    majority = first["majority"] * PERCENT
    seeds = {role: rows.loc[rows["role"] == role].set_index("seed")["accuracy"] * PERCENT for role in _ROLES}
    cells = {role: frames.over_seeds(values.to_numpy(), len(values)) for role, values in seeds.items()}
    balanced = {
        role: frames.over_seeds(rows.loc[rows["role"] == role, "balanced"].to_numpy(dtype=float) * PERCENT, len(values))
        for role, values in seeds.items()
    }
    difference = (seeds["vicious"] - seeds["honest"]).dropna().to_numpy()
    gain = frames.over_seeds(difference, len(difference))
    return {
        **{"attribute": first["attribute"], "n": first["n"], "positives": first["positives"], "majority": majority},
        **{f"{role}_accuracy_mean": cell.mean for role, cell in cells.items()},
        **{f"{role}_accuracy_sd": cell.sd for role, cell in cells.items()},
        **{f"{role}_balanced_mean": cell.mean for role, cell in balanced.items()},
        **{f"{role}_balanced_sd": cell.sd for role, cell in balanced.items()},
        **{"difference_mean": gain.mean, "difference_sd": gain.sd, "difference_n": gain.ok},
        "below_majority": ", ".join(role for role in _ROLES if cells[role].mean < majority - _ROUNDING),
    }


def _failures(rows: pd.DataFrame) -> list[str]:
    failed = rows.loc[rows["status"] != "ok"]
    return [
        f"{at_risk.label(row['task'], row['role'], row['outputs'], row['beta_r'])}, seed {row['seed']:g}: "
        + " ".join(str(row["reason"]).replace(";", ",").split())
        for row in failed.to_dict("records")
    ]


def _line(row: Mapping[Any, Any]) -> dict[str, Value]:
    cells = {
        role: OverSeeds(
            float(row[f"{role}_accuracy_mean"]),
            float(row[f"{role}_accuracy_sd"]),
            int(row[f"{role}_seeds"]),
            int(row[f"{role}_seeds"] + row[f"{role}_failed"]),
        )
        for role in _ROLES
    }
    if not row["attribute"]:
        return {"attribute": "all", **cells, "below_majority": ""}
    balanced = {f"{role}_balanced": _balanced(row, role, cell) for role, cell in cells.items()}
    return {
        "attribute": str(row["attribute"]).replace("_", " "),
        "positives": PERCENT * int(row["positives"]) / int(row["n"]),
        "majority": float(row["majority"]),
        **cells,
        **balanced,
        "difference": _difference(row, cells),
        "below_majority": str(row["below_majority"]),
    }


def _balanced(row: Mapping[Any, Any], role: str, accuracy: OverSeeds) -> OverSeeds | None:
    """Balanced accuracy over the same seeds; None where the test images have one value only."""
    mean, spread = (float(row[f"{role}_balanced_{end}"]) for end in ("mean", "sd"))
    return None if accuracy.ok and np.isnan(mean) else replace(accuracy, mean=mean, sd=spread)


def _difference(row: Mapping[Any, Any], cells: Mapping[str, OverSeeds]) -> OverSeeds | None:
    """Vicious minus honest, None where one of them was not run; a seed that either lacks counts as failed."""
    totals = [cell.total for cell in cells.values()]
    if not all(totals):
        return None
    return OverSeeds(float(row["difference_mean"]), float(row["difference_sd"]), int(row["difference_n"]), max(totals))


def _images(table: pd.DataFrame) -> dict[str, int]:
    """Number of test images of each task."""
    return {str(task): int(n.fillna(0).max()) for task, n in table.groupby("task")["n"]}
