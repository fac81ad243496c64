"""What the jobs of a build took, by their records of provenance, beside what was estimated for the same jobs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vicious.provenance.expected import Expected, scale_of
from vicious.provenance.records import Record, read_record, records_below
from vicious.steps._needs import Cost
from vicious.study import paths
from vicious.study.plan import Plan
from vicious.system.errors import DataError
from vicious.system.settings import listed

COUNTED = ("models", "assessments")
"""Stages whose jobs are compared: trainings, assessments and detections."""


@dataclass(frozen=True)
class Job:
    """A job of the plan.

    Attributes:
        command: of its step.
        estimated: seconds.
        measured: seconds; None where the folder has no result of it.
        otherwise: it was measured with other settings than the plan's, which is no measure of it.
    """

    command: str
    estimated: float
    measured: float | None = None
    otherwise: bool = False


def measured_jobs(plan: Plan, results: Path, seconds: Callable[[Cost], float]) -> list[Job]:
    """The trainings, assessments and detections of a plan, with what they took in a folder of results.

    Args:
        results: the folder ``results/<scale>`` of this project, or a copy of it.
        seconds: the estimate: what a job costs -> seconds.

    Raises:
        DataError: the results are of another scale, there are none, or a record cannot be read.
    """
    expected, found = Expected(plan.params), []
    for one in plan.steps:
        record = one.step.record()
        if one.step.STAGE not in COUNTED or record is None:
            continue
        read = _read(results / record.relative_to(paths.results(plan.scale)), plan.scale, results)
        otherwise = read is not None and expected.difference(one.step, read) is not None
        measured = None if read is None or otherwise else read.seconds
        found.append(Job(one.step.command(), seconds(one.cost), measured, otherwise))
    if all(job.measured is None for job in found):
        raise DataError(_nothing(results, plan.scale, sum(job.otherwise for job in found)))
    return found


def compared(jobs: Sequence[Job], results: Path, device: str) -> str:
    """Measured and estimated hours of the jobs that were measured, in words and a Markdown table.

    Args:
        results, device: the folder, and what the estimate is of, for the words.
    """
    done, otherwise = [job for job in jobs if job.measured is not None], sum(job.otherwise for job in jobs)
    words = f"{len(done)} of {len(jobs)} jobs measured in {results}: trainings, assessments and detections"
    words += f"; {otherwise} more were made with other settings and do not count" if otherwise else ""
    head = ["command", "jobs", "hours measured", "hours estimated", "estimated / measured", "of single jobs"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for command in dict.fromkeys(job.command for job in done):
        rows.append(_row(command, [job for job in done if job.command == command]))
    lines = ["| " + " | ".join(row) + " |" for row in [*rows, _row("total", done)]]
    words += f". Hours are those of one job after the other, estimated for {device}."
    return "\n".join(["", words, "", *lines])


def _row(name: str, jobs: Iterable[Job]) -> list[str]:
    pairs = [(job.estimated, max(job.measured or 0.0, 1e-3)) for job in jobs]  # a record has milliseconds
    estimated, measured = map(sum, zip(*pairs, strict=True))
    ratios = [one / other for one, other in pairs]
    hours = [f"{seconds / 3600:,.2f}" for seconds in (measured, estimated)]
    return [name, str(len(pairs)), *hours, f"{estimated / measured:.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}"]


def _read(path: Path, scale: str, results: Path) -> Record | None:
    """A record of a scale; None where there is none."""
    if not path.is_file():
        return None
    found = read_record(path)
    reason = found if isinstance(found, str) else "it has no seconds" if found.seconds is None else None
    if isinstance(found, str) or reason is not None:
        raise DataError(f"cannot read {path} ({reason}): delete it, then run `snakemake` again")
    if _scale(found) not in (None, scale):
        raise DataError(_other_scale(results, [str(_scale(found))], scale))
    return found


def _scale(record: Record) -> str | None:
    return scale_of(str(record.settings.get("out", "")))


def _nothing(results: Path, scale: str, otherwise: int) -> str:
    """Why no job was measured, and what to do."""
    if otherwise:
        return (
            f"all {otherwise} results of scale {scale} in {results} are of another configuration: name it by --file "
            f"or --config; `vicious verify {results}` says in what they differ"
        )
    records = (read_record(path) for path in records_below(results))
    scales = {found for one in records if isinstance(one, Record) and (found := _scale(one)) is not None}
    if scales - {scale} and scale not in scales:
        return _other_scale(results, sorted(scales), scale)
    return (
        f"{results} holds no record of a training, assessment or detection of scale {scale}: "
        f"give the folder results/{scale}, once it is built"
    )


def _other_scale(results: Path, found: Sequence[str], scale: str) -> str:
    return (
        f"{results} holds results of scale {listed(found)}, and the budget is of scale {scale}: "
        f"add --scale {found[0]}, or give results/{scale}"
    )
