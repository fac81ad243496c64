"""Accuracy of each of CelebA's attributes, honest against vicious, beside the rate of the commoner value."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.report import at_risk, frames, render
from vicious.report.frames import PERCENT, OverSeeds
from vicious.report.render import Column, Line, Table
from vicious.report.text import ABOUT_SEEDS, Text
from vicious.results.schema import PER_ATTRIBUTE, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
_ROLES = ("honest", "vicious")
_COLUMNS = (
    *("dataset", "task", "title", "source", "outputs", "beta_r", "attribute", "n", "positives", "majority"),
    *(f"{role}_{kind}_{end}" for role in _ROLES for kind in ("accuracy", "balanced") for end in ("mean", "sd")),
    *("difference_mean", "difference_sd", "difference_n", "below_majority"),
    *(f"{role}_{kind}" for role in _ROLES for kind in ("seeds", "failed")),
    "failures",
)


def write(attributes: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(PER_ATTRIBUTE, Path(attributes))
    if frame.empty:
        raise DataError(
            f"{attributes} has no rows: the table of attributes needs a dataset whose labels are attributes"
        )
    table = numbers(frame)
    return render.write(out, Table(table, PRINTED, lines(table), text(table)))


def numbers(attributes: pd.DataFrame) -> pd.DataFrame:
    """A row for each task and attribute of per_attribute.csv, in official order.

    Of each task: the honest models, and the vicious ones with the smallest beta_R, on logits where there are any.
    ``majority`` is the share of the commoner value in the test set, in percent; ``difference`` is vicious minus honest
    of the same seed, over the seeds that both have. ``below_majority`` names the models whose mean accuracy is below
    the majority rate by more than rounding. A task whose models all failed has one row, without an attribute.
    """
    rows = [row for task in at_risk.by_task(attributes) for row in _task_rows(*task)]
    return render.numbers(rows, _COLUMNS)


PRINTED = (
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
)


def lines(table: pd.DataFrame) -> list[Line]:
    return render.once(map(_line, table.to_dict("records")), ("title",))


def text(table: pd.DataFrame) -> Text:
    below = "; ".join(f"{role}, {_below(table, role)}" for role in _ROLES)
    images = {str(task): int(n.fillna(0).max()) for task, n in table.groupby("task")["n"]}
    return Text(
        "Test accuracy of each attribute in %, honest against vicious models, beside the majority rate: the accuracy "
        f"of always answering the commoner value. {at_risk.counts(table, _ROLES, images)}",
        (
            f"Models with a mean accuracy below the majority rate, which may still have learned, are named: {below}.",
            "The loss weights positives by negatives/positives of the training images, as the original does, which "
            "lowers plain accuracy on rare attributes. Balanced: mean accuracy on images with and without the "
            "attribute, by guessing 50%.",
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


def _task_rows(honest: pd.DataFrame, vicious: pd.DataFrame) -> list[dict[str, Any]]:
    sides = {"honest": honest, "vicious": vicious}
    both = pd.concat(sides.values())
    facts = at_risk.facts(honest, vicious) | {"failures": "; ".join(_failures(both))}
    for role, rows in sides.items():
        failed = rows.loc[rows["status"] != "ok", "seed"].nunique()
        facts |= {f"{role}_seeds": rows["seed"].nunique() - failed, f"{role}_failed": failed}
    good = both.loc[both["status"] == "ok"]
    if good.empty:
        return [facts | {"attribute": "", "below_majority": ""}]
    return [facts | _attribute(rows) for _, rows in good.groupby("attribute", sort=False)]


def _attribute(rows: pd.DataFrame) -> dict[str, Any]:
    first = rows.iloc[0]
    found: dict[str, Any] = {name: first[name] for name in ("attribute", "n", "positives")}
    found["majority"] = majority = first["majority"] * PERCENT
    seeds = {role: rows.loc[rows["role"] == role].set_index("seed") for role in _ROLES}
    for role, column in product(_ROLES, ("accuracy", "balanced")):
        values = seeds[role][column].to_numpy(dtype=float) * PERCENT
        cell = frames.over_seeds(values, len(values))
        found |= {f"{role}_{column}_mean": cell.mean, f"{role}_{column}_sd": cell.sd}
    difference = (seeds["vicious"]["accuracy"] * PERCENT - seeds["honest"]["accuracy"] * PERCENT).dropna().to_numpy()
    below = [role for role in _ROLES if found[f"{role}_accuracy_mean"] < majority - _ROUNDING]
    gain = frames.over_seeds(difference, len(difference))
    return found | render.spread_columns({"difference": gain}) | {"below_majority": ", ".join(below)}


def _failures(rows: pd.DataFrame) -> list[str]:
    failed = rows.loc[rows["status"] != "ok"]
    return [
        f"{at_risk.label(row)}, seed {row['seed']:g}: " + " ".join(str(row["reason"]).replace(";", ",").split())
        for row in failed.to_dict("records")
    ]


def _line(row: Mapping[Any, Any]) -> Line:
    cells = {role: at_risk.cell(row, role, "accuracy") for role in _ROLES}
    planned = [cell.total for cell in cells.values()]
    title = frames.marked_title(row["task"], row["source"])
    if not row["attribute"]:
        return {"title": title, "attribute": "all", **cells, "below_majority": ""}
    return {
        "title": title,
        "attribute": str(row["attribute"]).replace("_", " "),
        "positives": PERCENT * int(row["positives"]) / int(row["n"]),
        "majority": float(row["majority"]),
        **cells,
        **{f"{role}_balanced": _balanced(row, role) for role in _ROLES},
        "difference": render.cell_of({**row, "seeds": max(planned)}, "difference") if all(planned) else None,
        "below_majority": str(row["below_majority"]),
    }


def _balanced(row: Mapping[Any, Any], role: str) -> OverSeeds | None:
    """Balanced accuracy; None where the test images have one value only."""
    cell = at_risk.cell(row, role, "balanced")
    return None if cell.ok and np.isnan(cell.mean) else cell
