"""Classes at most and least risk, and what an honest model gives away of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.report import at_risk, frames, render
from vicious.report.render import Column, Line, Table
from vicious.report.text import ABOUT_RISK, ABOUT_RISK95, UNITS_IDENTIFIED, Text, best_attack, identified
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
_SIDES = ("vicious", "honest")
_COLUMNS = (
    *("dataset", "task", "title", "source", "outputs", "beta_r", "label", "label_name", "n"),
    *("rank", "classes", "ranked_by"),
    *(f"{side}_{name}_{end}" for side in _SIDES for name in MEASURES for end in ("mean", "sd")),
    *(f"{side}_{kind}" for side in _SIDES for kind in ("seeds", "failed")),
    "failures",
)


def write(classes: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(PER_CLASS, Path(classes))
    if frame.empty:
        raise DataError(f"{classes} has no rows: the table of classes needs a dataset whose labels are classes")
    table = numbers(frame)
    return render.write(out, Table(table, PRINTED, lines(table), text(table, frame)))


def numbers(classes: pd.DataFrame) -> pd.DataFrame:
    """A row for each task and class of per_class.csv, by rank.

    Of each task: the vicious model with the smallest beta_R and the honest one, on logits where there are any, each
    under the attack that is reported. ``rank`` 1 of ``classes`` has the highest mean R95 under ``ranked_by``: the
    vicious model, or the honest one where that has no result. A class without a test image has no rank and is none of
    ``classes``. A task whose models all failed has one row, without a class.
    """
    reported = frames.reported_rows(classes)
    rows = [row for models in at_risk.by_task(reported) for row in _task_rows(*models)]
    return render.numbers(rows, _COLUMNS)


_PRINTED_MEASURES = (
    ("accuracy", "Accuracy (%)", "Acc.", 1),
    ("psnr", "PSNR (dB)", "PSNR", 2),
    ("ssim", "SSIM", "SSIM", 3),
    ("risk", "R", "$R$", 3),
    ("risk95", "R95", "$R_{95}$", 3),
    ("top1", "Identified (%)", "Ident.", 1),
)
PRINTED = (
    Column("title", "Dataset", text=True),
    Column("rank", "Rank"),
    Column("class", "Class", text=True),
    Column("n", "n", "$n$"),
    *(
        Column(f"{side}_{name}", f"{head}, {side}", rf"\shortstack{{{short}\\{side}}}", decimals)
        for side in _SIDES
        for name, head, short, decimals in _PRINTED_MEASURES
    ),
)


def lines(table: pd.DataFrame) -> list[Line]:
    """Of each task at most :data:`ENDS` classes at each end of the ranks."""
    printed: list[Line] = []
    for _, rows in table.groupby("task", sort=False):
        ranked = rows.loc[rows["rank"].notna()]
        ends = ranked if len(ranked) <= 2 * ENDS else pd.concat([ranked.iloc[:ENDS], ranked.iloc[-ENDS:]])
        printed += map(_line, (rows.iloc[:1] if ranked.empty else ends).to_dict("records"))
    return render.once(printed, ("title",))


def text(table: pd.DataFrame, classes: pd.DataFrame) -> Text:
    """Caption and notes; ``classes`` are the rows that the table is made from."""
    honest = frames.attack_words(classes)["honest"]
    images = {str(task): int(n.fillna(0).sum()) for task, n in table.groupby("task")["n"]}
    return Text(
        f"Classes ranked by the R95 of their test images under the vicious model: at most {ENDS} highest and {ENDS} "
        f"lowest of each dataset. {at_risk.counts(table, _SIDES, images)} n: test images of the class. "
        f"{UNITS_IDENTIFIED}{best_attack(classes)}",
        (
            f"The CSV has all classes.{_ranked_by_honest(table, honest)}{_empty(table)}",
            f"{at_risk.CHOICE} Honest: the {honest} on honest models.",
            frames.about_best(classes),
            f"{ABOUT_RISK95} {ABOUT_RISK} A class far from the mean image may rank high under any attack.",
            f"{identified(images.items())} Ident.: identified, of the images of the class.",
            "Means over images, then seeds. R95: ± standard deviation over seeds, if several (CSV: of all). Failed "
            "seeds, counted there, are left out of all means of the model.",
            f"{at_risk.conditions(table, _SIDES, images)}{_warning(table)}",
        ),
        render.reasons(table),
    )


def _task_rows(honest: pd.DataFrame, vicious: pd.DataFrame) -> list[dict[Any, Any]]:
    sides = {"vicious": vicious, "honest": honest}
    facts: dict[Any, Any] = at_risk.facts(honest, vicious)
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
            scale = frames.scale_of(name)
            table[f"{side}_{name}_mean"], table[f"{side}_{name}_sd"] = own[name] * scale, own[f"{name}_sd"] * scale
    facts["ranked_by"] = "vicious" if table["vicious_risk95_mean"].notna().any() else "honest"
    risk95 = table[f"{facts['ranked_by']}_risk95_mean"]
    table["rank"], table["classes"] = risk95.rank(method="first", ascending=False), risk95.notna().sum()
    ordered = table.sort_values("rank", kind="stable").reset_index()
    return [facts | row for row in ordered.to_dict("records")]


def _failures(rows: pd.DataFrame) -> list[str]:
    if rows.empty or not rows["reason"].iloc[0]:
        return []
    first = rows.iloc[0].to_dict()
    return [f"{at_risk.label(first)}, {reason}" for reason in str(first["reason"]).split("; ")]


def _line(row: Mapping[Any, Any]) -> Line:
    # R95 tells what failed or was not run.
    line: Line = {f"{side}_risk95": at_risk.cell(row, side, "risk95") for side in _SIDES}
    line["title"] = frames.marked_title(row["task"], row["source"])
    if pd.isna(row["rank"]):
        return line | {"class": "all"}
    return line | {
        "rank": f"{row['rank']} of {row['classes']}",
        "class": _short(str(row["label_name"])),
        "n": int(row["n"]),
        **{
            f"{side}_{name}": float(row[f"{side}_{name}_mean"])
            for side in _SIDES
            for name in MEASURES
            if name != "risk95"
        },
    }


def _short(name: str) -> str:
    """The first of a class's names, cut where it is long."""
    first = name.split(",")[0].strip()
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 3].rstrip()}..."


def _ranked_by_honest(table: pd.DataFrame, attack: str) -> str:
    tasks = dict.fromkeys(table.loc[table["ranked_by"] == "honest", "task"])
    names = ", ".join(frames.title(task) for task in tasks)
    return f" {names}, whose vicious models have no result: by the R95 of the {attack}." if names else ""


def _empty(table: pd.DataFrame) -> str:
    empty = table.loc[table["label"].notna() & (table["n"] == 0)].groupby("task", sort=False).size()
    counts = ", ".join(f"{frames.title(str(task))}, {count}" for task, count in empty.items())
    return f" Without a test image, and so without a rank: classes of {counts}." if counts else ""


def _warning(table: pd.DataFrame) -> str:
    shown = table.loc[table["n"].fillna(0) > 0]
    smallest = shown.groupby("task", sort=False)["n"].min()
    few = [f"{frames.title(str(task))} ({n})" for task, n in smallest.items() if n < FEW]
    if not few:
        return ""
    return (
        f" Few test images in the smallest class: {', '.join(few)}; there the ends of the ranking are extreme partly "
        "by chance."
    )
