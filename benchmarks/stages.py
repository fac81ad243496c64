"""What every stage of a build took, by the records of provenance beside its results: jobs, seconds and memory of each
rule. The largest peak of a rule's jobs stands beside the memory that this job asks a cluster for. A job that goes
beyond it is killed there.

    python benchmarks/stages.py results/<scale> [params.yaml]

The folder is that of a build in a project's folder, whose data, tables and figures count too. A configuration of its
own is named as a file.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measuring import machine, report

from vicious.provenance.records import Record, read_record
from vicious.study.config import PARAMS_FILE, load_params
from vicious.study.plan import Plan


@dataclass(frozen=True)
class Job:
    """What a job took.

    Attributes:
        seconds: by the clock.
        peak: most megabytes that it held.
        asked: megabytes that it asks a cluster for.
    """

    seconds: float
    peak: float
    asked: int


def main(results: str, params: str | None = None) -> None:
    where = machine()
    folder = Path(results).absolute()
    root = folder.parents[1]
    found = measured(root, folder.name, root / PARAMS_FILE if params is None else Path(params))
    head = ["rule", "jobs", "seconds in all", "median seconds", "largest peak, MB", "asked for, MB"]
    cores = "jobs of a build run beside each other, so their seconds depend on the cores that they share"
    report("stages", where, head, rows(found), scale=folder.name, note=cores, target="no peak beyond what is asked for")


def measured(root: Path, scale: str, file: Path) -> dict[str, list[Job]]:
    """The jobs by rule, in the order of the plan: those whose records in a project's folder say what they took."""
    found: dict[str, list[Job]] = {}
    for one in Plan(load_params(file).model_copy(update={"scale": scale})).steps:
        record = one.step.record()
        read = None if record is None else read_record(root / record)
        if isinstance(read, Record) and read.seconds is not None and read.peak_mb is not None:
            found.setdefault(one.step.rule(), []).append(Job(read.seconds, read.peak_mb, one.need.mem_mb))
    return found


def rows(found: Mapping[str, Sequence[Job]]) -> list[list[str]]:
    """A row for each rule, then the total."""
    lines = [[rule, *_cells(jobs)] for rule, jobs in found.items()]
    return [*lines, ["total", *_cells([job for jobs in found.values() for job in jobs])]]


def _cells(jobs: Sequence[Job]) -> list[str]:
    seconds, largest = [job.seconds for job in jobs], max(jobs, key=lambda job: job.peak / job.asked)
    taken = (f"{sum(seconds):,.1f}", f"{median(seconds):.1f}")
    return [str(len(jobs)), *taken, f"{largest.peak:,.0f}", f"{largest.asked:,}"]


if __name__ == "__main__":
    main(*sys.argv[1:])
