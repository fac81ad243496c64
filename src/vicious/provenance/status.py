"""How far a study is: what is built, failed, running and missing, and how long the rest takes.

It looks whether files are there and at what their records say, not into the files, which is for
:mod:`vicious.provenance.verify`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from vicious.provenance.expected import Expected
from vicious.provenance.origin import unfinished
from vicious.provenance.records import Record, read_record
from vicious.steps._needs import Cost
from vicious.study.config import Params
from vicious.study.plan import Plan, Planned
from vicious.system.escape import escaped
from vicious.system.files import read_json
from vicious.workflow.budget import duration, estimated
from vicious.workflow.unlock import at_work

State = Literal["built", "failed", "running", "interrupted", "missing"]
"""Of a job: all its files are there; they are, and say that it failed; it was started and did not end, while something
of this folder is alive, and while nothing is; none of that."""
LEFT: tuple[State, ...] = ("running", "interrupted", "missing")
"""States of jobs that are still to be done."""
_SHOWN = 10


@dataclass(frozen=True)
class Row:
    """The jobs of an experiment on a dataset.

    Attributes:
        experiment, dataset: "" for what several share: data, or what gathers all datasets.
        states: how many jobs are in each.
        seconds: that those that are left take, one after the other.
    """

    experiment: str
    dataset: str
    states: Counter[State]
    seconds: float

    @property
    def jobs(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Attributes:
        scale: of the study.
        states: how many of its jobs are in each; each job counts once.
        seconds: that those that are left take, one after the other.
        measured: jobs whose time was measured here, by which ``seconds`` were corrected.
        cores: jobs at a time.
        rows: by experiment and dataset; a job that two experiments share is in both.
        failures: a result that says that its job failed -> why; not those that failed since what they read had.
    """

    scale: str
    states: Counter[State]
    seconds: float
    measured: int
    cores: int
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        jobs, built = sum(self.states.values()), self.states["built"] + self.states["failed"]
        words = [f"Scale {self.scale}: {built} of {jobs} jobs are built"]
        words += [
            f"{self.states[state]} {state}" for state in ("failed", "running", "interrupted") if self.states[state]
        ]
        lines = [", ".join(words) + "."]
        if built < jobs:
            by = f"by what {self.measured} jobs took here" if self.measured else "by the budget's rates"
            lines.append(
                f"About {duration(self.seconds / self.cores)} are left with {self.cores} jobs at a time, {by}."
            )
        lines += ["", *_table(self.rows)]
        if self.failures:
            lines += ["", *(f"failed: {file}: {reason}" for file, reason in list(self.failures.items())[:_SHOWN])]
            lines += [f"and {len(self.failures) - _SHOWN} more"] if len(self.failures) > _SHOWN else []
        return "\n".join(map(escaped, lines))

    def as_json(self) -> str:
        """The same for programs."""
        found = {**vars(self), "rows": [vars(row) for row in self.rows]}
        return json.dumps(found, indent=2)


def _table(rows: Iterable[Row]) -> Iterator[str]:
    """Aligned lines, a heading first; a count of none is left blank."""
    table: list[tuple[str, ...]] = [
        ("experiment", "dataset", "jobs", "built", "failed", "running", "left", "one after the other")
    ]
    for row in rows:
        left = sum(row.states[state] for state in LEFT)
        counts = (row.jobs, row.states["built"], row.states["failed"], row.states["running"], left)
        names = row.experiment or "data", row.dataset or "tables, figures"
        table.append((*names, *(str(n or "") for n in counts), duration(row.seconds) if left else ""))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()


def status(params: Params, cores: int, estimate: Callable[[Cost], float]) -> Status:
    """How far the study of a configuration's scale is, in this folder.

    Args:
        cores: jobs at a time.
        estimate: what a job costs -> seconds.
    """
    plan, alive = Plan(params), at_work(Path())
    states = {one.log: state(one, alive) for one in plan.steps}
    lost = [one for one in plan.steps if states[one.log] == "failed"]
    of_lost = {file for one in lost for file in one.outputs}
    roots = [one for one in lost if of_lost.isdisjoint(map(str, one.step.reads()))]
    failures = {file: reason for one in roots for file, reason in failed(one)}
    found = ratios((one for one in plan.steps if states[one.log] == "built"), estimate, Expected(params))
    factors, measured = {command: median(each) for command, each in found.items()}, sum(map(len, found.values()))

    def seconds(steps: Iterable[Planned]) -> float:
        left = [one for one in steps if states[one.log] in LEFT]
        return sum(estimated(one, estimate) * factors.get(one.step.command(), 1.0) for one in left)

    def row(experiment: str, dataset: str | None, steps: Sequence[Planned]) -> Row:
        return Row(experiment, dataset or "", Counter(states[one.log] for one in steps), seconds(steps))

    data = [one for one in plan.steps if one.step.STAGE == "data"]
    rows = [row("", dataset, [one for one in data if one.dataset == dataset]) for dataset in params.datasets]
    for experiment in plan.experiments():
        own = [one for one in Plan(params, [experiment]).steps if one.step.STAGE != "data"]
        for dataset in dict.fromkeys(one.dataset for one in own):
            rows.append(row(experiment, dataset, [one for one in own if one.dataset == dataset]))
    counts = Counter(states.values())
    return Status(plan.scale, counts, seconds(plan.steps), measured, cores, rows, failures)


def state(one: Planned, alive: bool) -> State:
    """The state of a job. ``alive``: something of this folder is at work."""
    files = [Path(file) for file in one.outputs]
    if any(map(unfinished, files)):
        return "running" if alive else "interrupted"
    if not all(file.is_file() for file in files):
        return "missing"
    return "failed" if failed(one) else "built"


def failed(one: Planned) -> list[tuple[str, str]]:
    """The results of a job that say that it failed, and why."""
    found = []
    for file in one.step.writes() if one.step.STAGE in ("models", "assessments") else ():
        if file.suffix == ".json" and (reason := failure(file)):
            found.append((str(file), reason))
    return found


def failure(file: Path) -> str:
    """Why a result says that its job failed; "" where it does not say so."""
    try:
        content: dict[str, Any] = read_json(file)
        return str(content.get("failure") or (content.get("reason") if content.get("status") == "failed" else "") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def ratios(built: Iterable[Planned], estimate: Callable[[Cost], float], expected: Expected) -> dict[str, list[float]]:
    """For each command the measured over the estimated seconds of its jobs that were made with the settings that are
    asked for."""
    found: dict[str, list[float]] = {}
    for one in built:
        record = None if (path := one.step.record()) is None else read_record(path)
        if not isinstance(record, Record) or record.seconds is None:
            continue
        if expected.difference(one.step, record) is None:
            found.setdefault(one.step.command(), []).append(record.seconds / estimated(one, estimate))
    return found
