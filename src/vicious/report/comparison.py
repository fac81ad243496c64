"""The table of an experiment: accuracy, what the original's attacks and the best one reconstruct, and what a vicious
model gains over an honest one.

Two baselines stand beside them to read R by: the mean image (R = 1 by definition), and, below each model, the mean
image of the class that it predicts, which is what the label alone gives away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.metrics.paired import holm
from vicious.report import frames, render
from vicious.report.frames import Group
from vicious.report.render import FEWEST_SEEDS, MEASURED, Column, Difference, Line, Table
from vicious.report.text import UNITS_IDENTIFIED, Text, about, counts, identified
from vicious.results.schema import BEST, COMPARISONS, EFFECTS, MEASURES, SUMMARY, Role, check_table, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError, MixedResultsError

CLASS_MEAN = "class_mean"
"""Attack that returns the mean image of the class that the model predicts."""
MEAN_IMAGE = "mean_image"
"""Attack that returns the mean of all images, whatever the outputs are."""
_TOLERANCE = 1e-3
"""How far, in a measure's units, the comparisons may be from the summary: rounding, not other results."""
_COMPARED = ("task", "role", "attack", "outputs", "beta_r", "measure")
"""What a comparison is of."""
_COLUMNS = (
    *("dataset", "task", "title", "k", "source", "outputs", "role", "attack", "beta_r", "n_images", "seeds"),
    *render.spread_names(MEASURES),
    *(f"{name}_{end}" for name in MEASURES for end in ("difference", "low", "high", "p", "holm", "difference_n")),
    *(f"{name}_seeds_needed" for name in EFFECTS),
    "failures",
)


@dataclass(frozen=True)
class Subject:
    """What tells the tables apart: the caption's first sentences, the heading of the column of K, if there is one, and
    what a reader must know about these models."""

    caption: str
    k: str | None = None
    note: str = ""


def comparison(summary: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """The numbers of an experiment's table: a row for each task, kind of outputs, role, beta_R and attack, which is the
    original's, and the best of all where there is one.

    Beside the columns of all tables, each measure has ``_difference``, ``_low``, ``_high`` and ``_p``: the mean
    difference to what the original's or the best attack reads from the honest models of the same seeds, its 95%
    interval and two-sided p; ``_holm`` is p adjusted for all comparisons of that measure in the table;
    ``_difference_n`` counts the seeds that both have. ``_n`` is empty where the measure does not apply. The attack
    ``class_mean`` returns the mean image of the class that the model of that role and beta_R predicts; the last row's
    ``mean_image`` returns that of all images, for any task.
    """
    check_table(SUMMARY, summary)
    check_table(COMPARISONS, comparisons)
    source = frames.sources(summary)
    compared = {tuple(row[name] for name in _COMPARED): row for row in comparisons.to_dict("records")}
    rows: list[dict[str, Any]] = []
    models = _models(summary)
    # Models that were not run have the K of those that were.
    k = {group.task: group.k for attacks in models for group, _ in attacks if group.planned}
    for attacks in models:
        group, _ = attacks[0]
        facts = {"k": k[group.task], "source": source[group.task]}
        for one, honest in attacks:
            measured = one.measured(filter(one.applies, MEASURES))
            both = one is not honest and one.planned and honest.planned
            differences = _differences(compared, one, honest) if both else {}
            rows.append(one.facts() | facts | render.spread_columns(measured) | differences)
        if group.role != "autoencoder":
            known = max((one for one, _ in attacks), key=lambda one: len(one.ok))  # the same under every attack
            class_mean = {
                name: known.over_seeds(f"{name}_class_mean", frames.scale_of(name))
                for name in ("psnr", "risk", "risk95", "top1")
            }
            rows.append(group.facts() | facts | {"attack": CLASS_MEAN} | render.spread_columns(class_mean))
    rows.append({"attack": MEAN_IMAGE, "risk_mean": 1.0, "risk95_mean": 1.0})
    numbers = render.numbers(rows, _COLUMNS)
    for name in MEASURES:
        numbers[f"{name}_holm"] = holm(numbers[f"{name}_p"].to_numpy(dtype=float))
    return numbers


def lines(subject: Subject, table: pd.DataFrame) -> list[Line]:
    printed: list[Line] = []
    for row in table.loc[table["attack"] != MEAN_IMAGE].to_dict("records"):
        planned = int(row["seeds"])
        measured = {name: None if pd.isna(row[f"{name}_n"]) else render.cell_of(row, name) for name in MEASURES}
        ok = min(cell.ok for cell in measured.values() if cell is not None)
        attack = frames.attack_title(row["role"], row["beta_r"], row["attack"])
        few = {0: "none", 1: "(1 seed)"}.get(planned, f"{planned}")
        printed.append(
            {
                # With a column of K the dataset is enough.
                "title": frames.marked_title(row["dataset"] if subject.k else row["task"], row["source"]),
                "k": int(row["k"]),
                "outputs": row["outputs"],
                "label": "predicted class mean" if row["attack"] == CLASS_MEAN else attack,
                **measured,
                "gain": _gain(row),
                "images": "none" if pd.isna(row["n_images"]) else int(row["n_images"]),
                "seeds": f"{ok} of {planned}" if ok < planned else few,
            }
        )
    baseline: Line = dict.fromkeys(("k", "outputs", "images", "seeds"), "")
    baseline |= {"title": "any", "label": "mean image", "risk": 1.0, "risk95": 1.0, "gain": None}
    return [*render.once(printed, ("title", "k"), ("outputs",)), baseline]


def columns(subject: Subject, table: pd.DataFrame) -> list[Column]:
    k = subject.k
    return [
        Column("title", "Dataset", text=True),
        *([Column("k", k, f"${k}$")] if k else []),
        *render.outputs_column(table["outputs"].dropna()),
        Column("label", "Model and attack", text=True),
        *MEASURED,
        Column("gain", "PSNR gain (dB)", decimals=2),
        Column("images", "Test images", "Images"),
        Column("seeds", "Seeds", "$n$"),
    ]


def text(subject: Subject, summary: pd.DataFrame, comparisons: pd.DataFrame, failed: Sequence[str]) -> Text:
    attributes = frames.attribute_datasets(dict.fromkeys(summary["dataset"]))
    seeds = set(comparisons["seeds"])
    few = " With one seed they cover images only, not training." if 1 in seeds else ""
    if any(0 < n < FEWEST_SEEDS for n in seeds):
        few += f" No difference over fewer than {FEWEST_SEEDS} seeds has a star."
    return Text(
        f"{subject.caption} {counts(frames.groups(summary))} {UNITS_IDENTIFIED}",
        (
            subject.note,
            frames.ATTACKS[BEST in set(summary["attack"])],
            "Predicted class mean: the mean image of the class that the model in the line above predicts.",
            "Autoencoder: target and attack model trained together for reconstruction alone. It has no label, so no "
            "accuracy."
            if "autoencoder" in set(summary["role"])
            else "",
            f"For {', '.join(attributes)}, whose labels are attributes, the predicted class mean is the least-squares "
            "image for the predicted attributes."
            if attributes
            else "",
            "PSNR gain: mean difference to what is read from honest models of the same seeds and outputs, with its 95% "
            "interval: by the original's post-hoc attack, or by the best one. A seed that one of the two lacks counts "
            "as failed. *: p < 0.05, two-sided, by Holm "
            f"over all gains of this table. Interval and p are Student's t over models, with the images' share.{few}",
            _needed(comparisons),
            identified((group.task, group.images) for group in frames.groups(summary)),
            *about(summary),
        ),
        failed,
    )


def _needed(comparisons: pd.DataFrame) -> str:
    """How many seeds would show a gain that is worth showing; "" where that is not known, with one seed."""
    gains = comparisons.loc[(comparisons["measure"] == "psnr") & (comparisons["seeds"] > 1)]
    known = gains["seeds_needed"].dropna().astype(int)
    if gains.empty:
        return ""
    low, high, never = known.min(), known.max(), len(gains) - len(known)
    few = f"4 in 5 such studies with {low if low == high else f'{low} to {high}'} seeds" if len(known) else "none"
    rest = f"; in {never} of {len(gains)} lines none would, with these test images" if never and len(known) else ""
    effect = f"{EFFECTS['psnr']:g} dB"
    return f"By this spread, an interval would leave out 0, were the true gain {effect}, in {few}{rest}."


def write_comparison(subject: Subject, summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    tables = read_table(SUMMARY, Path(summary)), read_table(COMPARISONS, Path(comparisons))
    return render.write(out, build(subject, *tables))


def build(subject: Subject, summary: pd.DataFrame, comparisons: pd.DataFrame) -> Table:
    table = comparison(summary, comparisons)
    around = text(subject, summary, comparisons, render.reasons(table))
    return Table(table, columns(subject, table), lines(subject, table), around)


def _differences(compared: Mapping[Any, Mapping[Any, Any]], group: Group, honest: Group) -> dict[str, float]:
    """The differences of ``group`` to ``honest`` as columns of the table, from the comparisons by what they are of."""
    found: dict[str, float] = {}
    for name in filter(group.applies, MEASURES):
        row = compared.get((group.task, group.role, group.attack, group.outputs, group.beta_r, name))
        if row is None:
            raise DataError(f"the comparisons have no {name} of {group.label}: run the step that writes them again")
        _check(group, honest, name, float(row["difference"]))
        found |= {f"{name}_{end}": row[end] * frames.scale_of(name) for end in ("difference", "low", "high")}
        found |= {f"{name}_p": row["p"], f"{name}_difference_n": row["seeds"]}
        found |= {f"{name}_seeds_needed": row["seeds_needed"]} if name in EFFECTS else {}
    return found


def _check(group: Group, honest: Group, name: str, difference: float) -> None:
    """Refuse a difference that is not the summary's. Where seeds failed, the two may be over different seeds."""
    mine, theirs = group.over_seeds(name), honest.over_seeds(name)
    if mine.failed or theirs.failed or list(group.rows["seed"]) != list(honest.rows["seed"]):
        return
    expected = mine.mean - theirs.mean
    if not abs(difference - expected) <= _TOLERANCE:
        raise MixedResultsError(
            f"{group.label}: by the comparisons, {name} differs by {difference:g} from what is read from honest "
            f"models, by the summary by {expected:g}: run the steps that write the two again"
        )


def _models(summary: pd.DataFrame) -> list[list[tuple[Group, Group]]]:
    """By model and kind of outputs the original's attack, and the best one where there is one; each beside that on the
    honest model."""
    found: dict[Any, list[tuple[Group, Group]]] = {}
    for attacks in frames.protocols(summary):
        for block in _blocks(frames.groups(summary, attacks), attacks):
            for group in block:
                model = group.task, group.outputs, group.role, f"{group.beta_r:g}"
                found.setdefault(model, []).append((group, block[0]))
    return list(found.values())


def _blocks(found: Sequence[Group], attacks: Mapping[Role, str]) -> list[list[Group]]:
    """The groups of each task and kind of outputs, the honest one first; a side that was not run is an empty group."""
    blocks: list[list[Group]] = []
    for _, same in groupby(found, key=lambda group: (group.task, group.outputs)):
        here = list(same)
        if here[0].role != "honest":
            here.insert(0, here[0].not_run("honest", 0.0, attacks["honest"]))
        if all(group.role != "vicious" for group in here):
            here.insert(1, here[0].not_run("vicious", nan, attacks["vicious"]))
        blocks.append(here)
    return blocks


def _gain(row: Mapping[Any, Any]) -> Difference | str | None:
    """The printed gain; None where there is nothing to compare, or nothing to compare with."""
    n = row["psnr_difference_n"]
    if pd.isna(n):
        return None
    if not n:
        return "failed"
    difference, low, high, p = (float(row[f"psnr_{end}"]) for end in ("difference", "low", "high", "holm"))
    return Difference(difference, low, high, p, int(n), int(row["seeds"]))
