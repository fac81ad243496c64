"""Classes at most and least risk, and what an honest model gives away of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.report import at_risk, frames, render
from vicious.report.at_risk import PERCENT
from vicious.report.frames import OverSeeds
from vicious.report.render import Column, Table, Value
from vicious.report.text import ABOUT_RISK, ABOUT_RISK95, UNITS, Text
from vicious.results.schema import MEASURES, PER_CLASS, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
ENDS = 3
"""Classes printed at each end."""
FEW = 100
"""Test images of a class below which a note warns."""
_LONGEST = 20
"""Letters of a class's name that are printed."""
_SIDES = ("vicious", "posthoc")
_COUNTS = ("label", "n", "rank", "classes", *(f"{side}_{kind}" for side in _SIDES for kind in ("seeds", "failed")))
_COLUMNS = (
    *("dataset", "task", "title", "source", "outputs", "beta_r", "label", "label_name", "n"),
    *("rank", "classes", "ranked_by"),
    *(f"{side}_{name}_{end}" for side in _SIDES for name in MEASURES for end in ("mean", "sd")),
    *(f"{side}_{kind}" for side in _SIDES for kind in ("seeds", "failed")),
    "failures",
)


def write(classes: Path, out: Destination) -> tuple[Path, ...]:
    """Write the table from the measures by class."""
    frame = read_table(PER_CLASS, Path(classes))
    if frame.empty:
        raise DataError(f"{classes} has no rows: the table of classes needs a dataset whose labels are classes")
    table = numbers(frame)
    return render.write(out, Table(table, columns(), lines(table), text(table)))


def numbers(classes: pd.DataFrame) -> pd.DataFrame:
    """The numbers: a row for each task and class, by rank.

    Of each task: the vicious model with the smallest beta_R and the post-hoc attack on the honest model, on logits
    where there are any. Accuracies are percentages, PSNR is in dB; ``_mean`` and ``_sd`` (ddof 1) are over seeds.
    ``rank`` 1 of ``classes`` has the highest mean R95 under ``ranked_by``: the vicious model, or the post-hoc attack
    (``posthoc``) where that has no result. A class without a test image has no rank and is none of ``classes``. A task
    whose models all failed has one row, without a class.

    Args:
        classes: rows of per_class.csv.
    """
    rows: list[dict[str, Any]] = []
    for task, honest, vicious in at_risk.by_task(classes):
        honest = honest.loc[honest["attack"] == "posthoc"]
        rows += _task_rows(task, honest, vicious)
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(dict.fromkeys(_COUNTS, "Int64"))


def columns() -> list[Column]:
    """The columns to print."""
    heads = {"accuracy": "Accuracy (%)", "psnr": "PSNR (dB)", "ssim": "SSIM", "risk": "R", "risk95": "R95"}
    short = {"accuracy": "Acc.", "psnr": "PSNR", "ssim": "SSIM", "risk": "$R$", "risk95": "$R_{95}$"}
    decimals = {"accuracy": 1, "psnr": 2}
    names = {"vicious": "vicious", "posthoc": "honest"}
    return [
        Column("title", "Dataset", text=True),
        Column("rank", "Rank"),
        Column("class", "Class", text=True),
        Column("n", "n", "$n$"),
        *(
            Column(
                f"{side}_{name}",
                f"{head}, {names[side]}",
                rf"\shortstack{{{short[name]}\\{names[side]}}}",
                decimals.get(name, 3),
            )
            for side in _SIDES
            for name, head in heads.items()
        ),
    ]


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print: of each task at most :data:`ENDS` classes at each end of the ranks."""
    printed: list[dict[str, Value]] = []
    for task, rows in table.groupby("task", sort=False):
        ranked = rows.loc[rows["rank"].notna()]
        title = frames.marked_title(str(task), str(rows["source"].iloc[0]))
        if ranked.empty:
            printed.append({"title": title, "class": "all", **_risks95(rows.iloc[0])})
            continue
        ends = ranked if len(ranked) <= 2 * ENDS else pd.concat([ranked.iloc[:ENDS], ranked.iloc[-ENDS:]])
        for index, row in enumerate(ends.to_dict("records")):
            printed.append({"title": "" if index else title, **_line(row)})
    return printed


def text(table: pd.DataFrame) -> Text:
    """Caption and notes."""
    images = _images(table)
    return Text(
        f"Classes ranked by the R95 of their test images under the vicious model: at most {ENDS} with the highest and "
        f"{ENDS} with the "
        f"lowest of each dataset. {at_risk.counts(table, _SIDES, images)} n: test images of the class. {UNITS}",
        (
            f"The CSV has all classes.{_ranked_by_honest(table)}{_empty(table)}",
            f"{at_risk.CHOICE} Honest: the post-hoc attack on honest models.",
            f"{ABOUT_RISK95} {ABOUT_RISK} Both compare with the distance to the mean image, so a class far from it "
            "may rank high "
            "under any attack: read R95 beside the honest one.",
            "Means over the class's test images, then over seeds. R95: ± standard deviation over seeds, none for a "
            "single seed (in the "
            "CSV for every measure). Seeds that failed there are left out of the model's other means too.",
            f"{at_risk.conditions(table, _SIDES, images)}{_warning(table)}",
        ),
        render.reasons(table),
    )


def _task_rows(task: str, honest: pd.DataFrame, vicious: pd.DataFrame) -> list[dict[str, Any]]:
    sides = {"vicious": vicious, "posthoc": honest}
    first = (vicious if len(vicious) else honest).iloc[0]
    facts: dict[str, Any] = {name: first[name] for name in ("dataset", "task", "source", "outputs")}
    facts |= {"title": frames.title(task), "beta_r": vicious["beta_r"].iloc[0] if len(vicious) else np.nan}
    facts["failures"] = "; ".join(note for side in sides.values() for note in _failures(side))
    for side, rows in sides.items():
        facts |= {f"{side}_{kind}": int(rows[kind].iloc[0]) if len(rows) else 0 for kind in ("seeds", "failed")}
    found = pd.concat([rows.loc[rows["label"].notna(), ["label", "label_name", "n"]] for rows in sides.values()])
    table = found.drop_duplicates("label").set_index("label").sort_index()
    if table.empty:
        return [facts | {"ranked_by": ""}]
    for side, rows in sides.items():
        own = rows.loc[rows["label"].notna()].set_index("label").reindex(table.index)
        for name in MEASURES:
            scale = PERCENT if name == "accuracy" else 1.0
            table[f"{side}_{name}_mean"], table[f"{side}_{name}_sd"] = own[name] * scale, own[f"{name}_sd"] * scale
    facts["ranked_by"] = "vicious" if table["vicious_risk95_mean"].notna().any() else "posthoc"
    risk95 = table[f"{facts['ranked_by']}_risk95_mean"]
    table["rank"], table["classes"] = risk95.rank(method="first", ascending=False), risk95.notna().sum()
    ordered = table.sort_values("rank", kind="stable").reset_index()
    return [{**facts, **{str(name): value for name, value in row.items()}} for row in ordered.to_dict("records")]


def _failures(rows: pd.DataFrame) -> list[str]:
    if rows.empty or not rows["reason"].iloc[0]:
        return []
    first = rows.iloc[0]
    name = at_risk.label(first["task"], first["role"], first["outputs"], first["beta_r"])
    return [f"{name}, {reason}" for reason in str(first["reason"]).split("; ")]


def _line(row: Mapping[Any, Any]) -> dict[str, Value]:
    numbers: dict[str, Value] = {
        f"{side}_{name}": float(row[f"{side}_{name}_mean"]) for side in _SIDES for name in MEASURES[:-1]
    }
    return {
        "rank": f"{row['rank']} of {row['classes']}",
        "class": _short(str(row["label_name"])),
        "n": int(row["n"]),
        **numbers,
        **_risks95(row),
    }


def _risks95(row: Any) -> dict[str, Value]:
    """R95 of both sides, which tells what failed or was not run."""
    found: dict[str, Value] = {}
    for side in _SIDES:
        mean, spread = (float(row[f"{side}_risk95_{end}"]) for end in ("mean", "sd"))
        seeds = int(row[f"{side}_seeds"])
        found[f"{side}_risk95"] = OverSeeds(mean, spread, seeds, seeds + int(row[f"{side}_failed"]))
    return found


def _short(name: str) -> str:
    """The first of a class's names, cut where it is long."""
    first = name.split(",")[0].strip()
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 3].rstrip()}..."


def _images(table: pd.DataFrame) -> dict[str, int]:
    """Number of test images of each task."""
    return {str(task): int(n.fillna(0).sum()) for task, n in table.groupby("task")["n"]}


def _ranked_by_honest(table: pd.DataFrame) -> str:
    tasks = dict.fromkeys(table.loc[table["ranked_by"] == "posthoc", "task"])
    names = ", ".join(frames.title(task) for task in tasks)
    return f" {names}, whose vicious models have no result: by the R95 of the post-hoc attack." if names else ""


def _empty(table: pd.DataFrame) -> str:
    empty = table.loc[table["label"].notna() & (table["n"] == 0)].groupby("task", sort=False).size()
    counts = ", ".join(f"{frames.title(str(task))}, {count}" for task, count in empty.items())
    return f" Without a test image, and so without a rank: classes of {counts}." if counts else ""


def _warning(table: pd.DataFrame) -> str:
    shown = table.loc[table["n"].fillna(0) > 0]
    smallest = {str(task): int(n) for task, n in shown.groupby("task", sort=False)["n"].min().items()}
    few = [f"{frames.title(task)} ({n})" for task, n in smallest.items() if n < FEW]
    if not few:
        return ""
    return (
        f" Few test images in the smallest class: {', '.join(few)}; there the ends of the ranking are extreme partly "
        "by "
        "chance."
    )
