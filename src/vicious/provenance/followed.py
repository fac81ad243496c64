"""What a run of Snakemake is to make, with the time that each job is expected to take, and the view of it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from vicious.provenance.expected import Expected
from vicious.provenance.status import ratios
from vicious.steps._needs import Cost
from vicious.study.plan import Plan
from vicious.workflow.budget import SMALL, device_and_jobs, estimated
from vicious.workflow.following import Job, Run, key
from vicious.workflow.shown import View, view

KINDS = {"summaries": "summaries", "figures": "tables and figures"}
"""What jobs of these stages are counted with; others are counted by their rule."""
WHOLE = ("verify_study", "report")
"""Rules of the workflow that are no step of the plan, and take time."""


def viewed(
    plan: Plan,
    jobs: Sequence[tuple[str, Mapping[str, str]]],
    cores: int,
    nodes: int | None,
    *,
    stream: TextIO,
    colour: bool,
    excerpts: bool,
    quiet: bool,
) -> View:
    """The view of a run of Snakemake that begins now.

    Args:
        plan: of the study.
        jobs: that are to run: rule and wildcards of each.
        cores: of this machine that Snakemake may use.
        nodes: jobs at a time on a cluster; None here.
        stream, colour, excerpts, quiet: see :func:`vicious.workflow.shown.view`.
    """
    device, together = device_and_jobs(plan.params, cores)
    start = time.time()
    return view(expected(plan, jobs, nodes or together, device.seconds, start), stream, colour, excerpts, quiet)


def expected(
    plan: Plan,
    jobs: Sequence[tuple[str, Mapping[str, str]]],
    together: int,
    estimate: Callable[[Cost], float],
    start: float,
) -> Run:
    """A run that makes ``jobs`` of a plan, ``together`` at a time, from ``start`` in seconds. What jobs take is
    estimated, and corrected by the records of those that are there and stay."""
    known = {key(one.step.rule(), one.names): one for one in plan.steps}
    found = []
    for rule, names in jobs:
        one = known.pop(key(rule, names), None)
        if one is not None:
            found.append(Job(rule, names, KINDS.get(one.step.STAGE, rule), estimated(one, estimate)))
        elif rule in WHOLE:
            found.append(Job(rule, names, rule, SMALL))
        else:
            found.append(Job(rule, names, "", 0.0))
    built = [one for one in known.values() if _there(one.outputs)]
    measured = ratios(built, estimate, Expected(plan.params))
    rules = {one.step.command(): one.step.rule() for one in built}
    by_rule = {rules[command]: each for command, each in measured.items()}
    order = {rule: place for place, rule in enumerate((*plan.rules, *WHOLE))}
    return Run(sorted(found, key=lambda one: order.get(one.rule, len(order))), together, start, by_rule)


def _there(files: Iterable[str]) -> bool:
    return all(Path(file).is_file() for file in files)
