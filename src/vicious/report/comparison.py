"""The table of an experiment: accuracy, what each attack reconstructs, and what a vicious model gains over an honest
one.

It has a line for each task, kind of outputs and attack: the post-hoc attack on honest models, vicious
models by growing beta_R, and autoencoders. Two baselines stand beside them to read R by: the mean image (R = 1 by
definition), and, below each model, the mean image of the class that it predicts, which is what the label alone gives
away.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.report import frames, render
from vicious.report.frames import Group, OverSeeds
from vicious.report.render import Column, Difference, Table, Value
from vicious.report.text import ABOUT_RISK, ABOUT_RISK95, ABOUT_SEEDS, UNITS, Text, counts
from vicious.results.schema import ATTACK_OF, COMPARISONS, MEASURES, SUMMARY, check_table, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError, MixedResultsError

CLASS_MEAN = "class_mean"
"""Attack that returns the mean image of the class that the model predicts."""
MEAN_IMAGE = "mean_image"
"""Attack that returns the mean of all images, whatever the outputs are."""
_CLASS_MEAN_COLUMNS = {"psnr": "psnr_class_mean", "risk": "risk_class_mean", "risk95": "risk95_class_mean"}
_PERCENT = 100.0
_SCALES = {"accuracy": _PERCENT}
_TOLERANCE = 1e-3
"""How far, in a measure's units, the comparisons may be from the summary: rounding, not other results."""
_INTEGERS = ("k", "n_images", "seeds", *(f"{name}_{end}" for name in MEASURES for end in ("n", "difference_n")))


@dataclass(frozen=True)
class Subject:
    """What tells the tables apart.

    Attributes:
        caption: its first sentences.
        k: heading of the column of K, if there is one.
        note: what a reader must know about these models.
    """

    caption: str
    k: str | None = None
    note: str = ""


def comparison(summary: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """The numbers of a table, a row for each task, kind of outputs, role, attack and beta_R.

    Accuracies are percentages, PSNR is in dB. Each measure has columns ``_mean``, ``_sd`` (ddof 1, over seeds) and
    ``_n`` (seeds that succeeded; empty where the measure does not apply), and ``_difference``, ``_low``, ``_high`` and
    ``_p``: the mean difference to the post-hoc attack on the honest models of the same seeds, its 95% interval and
    two-sided p; ``_difference_n`` counts the seeds that both have. ``seeds`` counts the seeds planned. ``failures``
    names each seed without a result, and why. The attack ``class_mean`` returns the mean image of the class that the
    model of that role and beta_R predicts; the last row's ``mean_image`` returns that of all images, for any task.

    Args:
        summary: rows of an experiment's summary.
        comparisons: rows of its comparisons.

    Raises:
        DataError: a column or a comparison is missing, or there is no post-hoc or joint attack.
        MixedResultsError: the rows mix configurations, or the comparisons are not those of the summary.
    """
    check_table(SUMMARY, summary)
    check_table(COMPARISONS, comparisons)
    found = frames.groups(summary)
    source = frames.sources(summary)
    # Models that were not run have the K of those that were.
    k = {group.task: group.k for group in found}
    compared = _Compared(comparisons)
    rows: list[dict[str, Any]] = []
    for block in _blocks(found):
        honest = block[0]
        facts = {"k": k[honest.task], "source": source[honest.task]}
        for group in block:
            both = group is not honest and group.planned and honest.planned
            differences = compared.columns(group, honest) if both else {}
            rows.append(_row(group) | facts | differences)
            if group.role != "autoencoder":
                rows.append(_class_mean(group) | facts)
    table = pd.DataFrame([*rows, {"attack": MEAN_IMAGE, "risk_mean": 1.0, "risk95_mean": 1.0}], columns=list(_COLUMNS))
    return table.astype({**dict.fromkeys(_INTEGERS, "Int64"), **dict.fromkeys(_FLOATS, "float64")})


def lines(subject: Subject, table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :func:`columns`."""
    printed: list[dict[str, Value]] = []
    before: tuple[Any, ...] = ()
    for row in table.to_dict("records"):
        here = () if row["attack"] == MEAN_IMAGE else (row["task"], row["outputs"])
        values = {name: _value(row, name) for name in MEASURES}
        printed.append(
            {
                "title": _title(subject, row) if here[:1] != before[:1] else "",
                "k": _whole(row["k"]) if here and here[:1] != before[:1] else "",
                "outputs": row["outputs"] if here and here != before else "",
                "label": _label(row),
                **values,
                "gain": _gain(row),
                "images": (_whole(row["n_images"]) or "none") if here else "",
                "seeds": _seeds(values.values(), int(row["seeds"])) if here else "",
            }
        )
        before = here
    return printed


def columns(subject: Subject, table: pd.DataFrame) -> list[Column]:
    """The columns to print; outputs are named where there are several kinds."""
    several = len(set(table["outputs"].dropna())) > 1
    k = subject.k
    return [
        Column("title", "Dataset", text=True),
        *([Column("k", k, f"${k}$")] if k else []),
        *([Column("outputs", "Outputs", text=True)] if several else []),
        Column("label", "Model and attack", text=True),
        Column("accuracy", "Accuracy (%)", decimals=2),
        Column("psnr", "PSNR (dB)", decimals=2),
        Column("ssim", "SSIM"),
        Column("risk", "R", "$R$"),
        Column("risk95", "R95"),
        Column("gain", "PSNR gain (dB)", decimals=2),
        Column("images", "Test images", "Images"),
        Column("seeds", "Seeds"),
    ]


def text(subject: Subject, summary: pd.DataFrame, comparisons: pd.DataFrame, failed: Sequence[str]) -> Text:
    """Caption and notes."""
    return Text(
        f"{subject.caption} {counts(frames.groups(summary))} {UNITS}",
        (
            subject.note,
            f"R is {frames.risk_words(summary)}. {ABOUT_RISK95} {ABOUT_RISK}",
            "Predicted class mean: the mean image of the class that the model in the line above predicts. It is what "
            "the label "
            "alone gives away.",
            _autoencoder(summary),
            _attributes(summary),
            ABOUT_SEEDS,
            "PSNR gain: mean difference to the post-hoc attack on honest models of the same seeds and outputs, with "
            "its 95% "
            "interval. A seed that either lacks counts as failed. *: p < 0.05, two-sided. Interval and p are from a "
            "paired "
            f"bootstrap over images with seeds as blocks.{_few_seeds(comparisons)}",
            frames.conditions(summary, accuracy=True, risk=True),
        ),
        failed,
    )


def write_comparison(subject: Subject, summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    """Write the table of an experiment, and return its paths.

    Args:
        subject: what tells it apart from those of other experiments.
        summary: the experiment's summary.
        comparisons: its comparisons with the post-hoc attack.
        out: where its files go.
    """
    return render.write(
        out, build(subject, read_table(SUMMARY, Path(summary)), read_table(COMPARISONS, Path(comparisons)))
    )


def build(subject: Subject, summary: pd.DataFrame, comparisons: pd.DataFrame) -> Table:
    """The table of an experiment; raises as :func:`comparison`."""
    table = comparison(summary, comparisons)
    around = text(subject, summary, comparisons, render.reasons(table))
    return Table(table, columns(subject, table), lines(subject, table), around)


_DIFFERENCE_ENDS = ("difference", "low", "high", "p", "difference_n")
_MEASURE_COLUMNS = tuple(f"{name}_{end}" for name in MEASURES for end in ("mean", "sd", "n"))
_DIFFERENCE_COLUMNS = tuple(f"{name}_{end}" for name in MEASURES for end in _DIFFERENCE_ENDS)
_KEY_COLUMNS = ("dataset", "task", "title", "k", "source", "outputs", "role", "attack", "beta_r", "n_images", "seeds")
_COLUMNS = (*_KEY_COLUMNS, *_MEASURE_COLUMNS, *_DIFFERENCE_COLUMNS, "failures")
_FLOATS = ("beta_r", *(name for name in (*_MEASURE_COLUMNS, *_DIFFERENCE_COLUMNS) if name not in _INTEGERS))


class _Compared:
    """The comparisons, by what they are of."""

    def __init__(self, comparisons: pd.DataFrame) -> None:
        self._rows = {
            (row["task"], row["role"], row["outputs"], row["beta_r"], row["measure"]): row
            for row in comparisons.to_dict("records")
        }

    def columns(self, group: Group, honest: Group) -> dict[str, float]:
        """The differences of ``group`` to ``honest`` as columns of the table."""
        found: dict[str, float] = {}
        for name in (name for name in MEASURES if group.applies(name)):
            row = self._rows.get((group.task, group.role, group.outputs, group.beta_r, name))
            if row is None:
                raise DataError(f"the comparisons have no {name} of {group.label}: run the step that writes them again")
            scale = _SCALES.get(name, 1.0)
            _check(group, honest, name, float(row["difference"]))
            found |= {f"{name}_{end}": row[end] * scale for end in ("difference", "low", "high")}
            found |= {f"{name}_p": row["p"], f"{name}_difference_n": row["seeds"]}
        return found


def _check(group: Group, honest: Group, name: str, difference: float) -> None:
    """Refuse a difference that is not the summary's. Where seeds failed, the two may be over different seeds."""
    mine, theirs = group.over_seeds(name), honest.over_seeds(name)
    if mine.failed or theirs.failed or list(group.rows["seed"]) != list(honest.rows["seed"]):
        return
    expected = mine.mean - theirs.mean
    if not abs(difference - expected) <= _TOLERANCE:
        raise MixedResultsError(
            f"{group.label}: by the comparisons, {name} differs by {difference:g} from the post-hoc attack on honest "
            f"models, by the summary by {expected:g}: run the steps that write the two again"
        )


def _blocks(found: Sequence[Group]) -> list[list[Group]]:
    """The groups of each task and kind of outputs, the honest one first; a side that was not run is an empty group."""
    blocks: list[list[Group]] = []
    for task, outputs in dict.fromkeys((group.task, group.outputs) for group in found):
        here = [group for group in found if (group.task, group.outputs) == (task, outputs)]
        dataset, nothing = here[0].dataset, here[0].rows.iloc[:0]
        if all(group.role != "honest" for group in here):
            here.insert(0, Group(task, dataset, "honest", outputs, 0.0, nothing))
        if all(group.role != "vicious" for group in here):
            here.insert(1, Group(task, dataset, "vicious", outputs, math.nan, nothing))
        blocks.append(here)
    return blocks


def _row(group: Group) -> dict[str, Any]:
    cells = {name: group.over_seeds(name, _SCALES.get(name, 1.0)) for name in MEASURES if group.applies(name)}
    return _key(group, ATTACK_OF[group.role]) | render.spread_columns(cells)


def _class_mean(group: Group) -> dict[str, Any]:
    cells = {name: group.over_seeds(column) for name, column in _CLASS_MEAN_COLUMNS.items()}
    return _key(group, CLASS_MEAN) | render.spread_columns(cells)


def _key(group: Group, attack: str) -> dict[str, Any]:
    return {
        "dataset": group.dataset,
        "task": group.task,
        "title": frames.title(group.task),
        "outputs": group.outputs,
        "role": group.role,
        "attack": attack,
        "beta_r": group.beta_r,
        "n_images": group.images,
        "seeds": group.planned,
        "failures": "; ".join(group.failures()),
    }


def _value(row: Mapping[Any, Any], name: str) -> OverSeeds | float | None:
    """The printed value of one measure: no seeds stand behind a baseline that is so by definition."""
    mean, n = row[f"{name}_mean"], row[f"{name}_n"]
    if pd.isna(n):
        return None if pd.isna(mean) else float(mean)
    return render.cell_of(row, name)


def _gain(row: Mapping[Any, Any]) -> Difference | str | None:
    """The printed gain; None where there is nothing to compare, or nothing to compare with."""
    n = row["psnr_difference_n"]
    if pd.isna(n):
        return None
    if not n:
        return "failed"
    difference, low, high, p = (float(row[f"psnr_{end}"]) for end in ("difference", "low", "high", "p"))
    return Difference(difference, low, high, p, int(n), int(row["seeds"]))


def _title(subject: Subject, row: Mapping[Any, Any]) -> str:
    """With a column of K the dataset is enough."""
    if row["attack"] == MEAN_IMAGE:
        return "any"
    return frames.marked_title(row["dataset"] if subject.k else row["task"], row["source"])


def _label(row: Mapping[Any, Any]) -> str:
    if row["attack"] in (CLASS_MEAN, MEAN_IMAGE):
        return {CLASS_MEAN: "predicted class mean", MEAN_IMAGE: "mean image"}[row["attack"]]
    if row["role"] == "vicious":
        return "vicious" if math.isnan(row["beta_r"]) else f"vicious, beta_R = {row['beta_r']:g}"
    return {"honest": "honest, post-hoc", "autoencoder": "autoencoder (upper bound)"}[row["role"]]


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _seeds(values: Iterable[OverSeeds | float | None], total: int) -> str:
    ok = min(value.ok for value in values if isinstance(value, OverSeeds))
    if ok < total:
        return f"{ok} of {total}"
    return {0: "none", 1: "(1 seed)"}.get(total, str(total))


def _few_seeds(comparisons: pd.DataFrame) -> str:
    """What intervals and p over few seeds do not say."""
    seeds = set(comparisons["seeds"])
    text = " With one seed they cover images only, not training." if 1 in seeds else ""
    if seeds & {2, 3}:
        text += " With two or three seeds, p is small as soon as all of them differ in the same direction."
    return text


def _autoencoder(summary: pd.DataFrame) -> str:
    if "autoencoder" not in set(summary["role"]):
        return ""
    return (
        "Autoencoder: target and attack model trained together for reconstruction alone, about the most that such "
        "outputs can "
        "carry. It is asked for no label, so it has no accuracy."
    )


def _attributes(summary: pd.DataFrame) -> str:
    """What the predicted class mean is where labels are attributes."""
    attributes = frames.attribute_datasets(dict.fromkeys(summary["dataset"]))
    if not attributes:
        return ""
    return (
        f"For {', '.join(attributes)}, whose labels are attributes, the predicted class mean is the least-squares "
        "image for the "
        "predicted attributes."
    )
