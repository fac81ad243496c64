"""Every model and attack of a scale, a row for each over its seeds, for the page's filters."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vicious.models.evaded import evasion, trained_otherwise
from vicious.report.frames import Group, OverSeeds
from vicious.results.schema import MEASURES, SUMMARY, read_table
from vicious.study import grid, paths
from vicious.webpage import words

DECIMALS = {"accuracy": 2, "psnr": 2, "top1": 2}
_DECIMALS = 3


@dataclass(frozen=True)
class Value:
    """A measure for readers, and as a number to sort by; None where there is none."""

    text: str
    number: float | None
    failed: bool = False


@dataclass(frozen=True)
class Row:
    """All seeds of one attack on one model.

    Attributes:
        dataset, outputs, beta_r, attack: by which rows are chosen, for readers.
        model: what is attacked.
        measures: by the names of :data:`~vicious.results.schema.MEASURES`.
        seeds: planned.
        failures: which seeds have no result, and why.
    """

    experiment: str
    dataset: str
    outputs: str
    beta_r: str
    attack: str
    model: str
    measures: Mapping[str, Value]
    seeds: int
    failures: Sequence[str]


def rows(scale: str) -> list[Row]:
    """Those of every experiment whose summary is there.

    Raises:
        DataError, MixedResultsError: a summary is damaged.
    """
    files = {name: paths.summary(scale, name) for name in grid.EXPERIMENTS}
    return [
        row for name, file in files.items() if file.is_file() for row in _of_experiment(name, read_table(SUMMARY, file))
    ]


def _of_experiment(experiment: str, summary: pd.DataFrame) -> Iterator[Row]:
    found = [group for _, group in summary.groupby(list(SUMMARY.group), dropna=False, sort=False)]
    for group in sorted(found, key=lambda rows: words.place(rows.iloc[0].to_dict())):
        first: Mapping[Any, Any] = group.iloc[0].to_dict()
        names = (first["task"], first["dataset"], first["role"], first["attack"], first["outputs"])
        seeds = Group(*names, first["beta_r"], group, first["evades"], first["evasion"])
        yield Row(
            experiment,
            words.dataset(first["task"], first["source"]),
            first["outputs"],
            words.beta(first["role"], first["beta_r"]),
            ", ".join(filter(None, [words.attack(first["attack"]), first["means"]])),
            _model(first),
            {name: _value(name, value) for name, value in seeds.measured(MEASURES).items()},
            seeds.planned,
            seeds.failures(),
        )


def _model(row: Mapping[Any, Any]) -> str:
    how = [row["role"], trained_otherwise(row["outputs"], row["trained_for"]), evasion(row["evades"], row["evasion"])]
    return ", ".join(filter(None, how))


def _value(name: str, value: OverSeeds) -> Value:
    if not value.total:
        return Value("–", None)
    if not value.ok:
        return Value("failed", None, failed=True)
    decimals = DECIMALS.get(name, _DECIMALS)
    text = f"{value.mean:.{decimals}f}" if math.isfinite(value.mean) else "∞"
    text += f" ± {value.sd:.{decimals}f}" if math.isfinite(value.sd) else ""
    return Value(
        text + (f" ({value.failed}/{value.total} failed)" if value.failed else ""), value.mean, value.failed > 0
    )
