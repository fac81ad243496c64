"""The jobs of a scale that were run, from their records of provenance."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from vicious.provenance.expected import NOT_ASKED, Expected
from vicious.provenance.origin import built
from vicious.provenance.records import Record, read_record
from vicious.provenance.status import failure
from vicious.provenance.verify import hash_files
from vicious.steps import Stage
from vicious.study.artifacts import known
from vicious.study.config import PARAMS_FILE, Params
from vicious.study.plan import step_of
from vicious.system.errors import ConfigError, ProvenanceError
from vicious.system.settings import listed

log = logging.getLogger(__name__)
_MAY_FAIL = ("models", "assessments")
"""Stages whose results may say that their job failed."""
_SHOWN = 5


@dataclass(frozen=True)
class Job:
    """A job that was run.

    Attributes:
        path: of its record of provenance.
        record: what it tells.
        finished: UTC.
    """

    path: Path
    record: Record
    finished: datetime

    @property
    def started(self) -> datetime | None:
        """UTC, to the second; None where its seconds are not recorded."""
        seconds = self.record.seconds
        return None if seconds is None else self.finished - timedelta(seconds=round(seconds))

    @property
    def outputs(self) -> Mapping[str, str]:
        """Files that it wrote -> SHA-256; none in records of old."""
        return self.record.outputs or {}

    @cached_property
    def title(self) -> str:
        """What it does, in a line; a table's or figure's number first."""
        command = self.record.command
        if command in known():
            artifact = known()[command]
            return f"{artifact.label}: {artifact.title}"
        try:
            return step_of(command).title()
        except ConfigError:
            return command

    @cached_property
    def stage(self) -> Stage | None:
        """Of the study; None where no command of today has this name."""
        try:
            return step_of(self.record.command).STAGE
        except ConfigError:
            return None

    @cached_property
    def failure(self) -> str | None:
        """Why it failed, as its results say; "" where they do not; None where they are not here to ask."""
        told = [Path(file) for file in self.outputs if file.endswith(".json")] if self.stage in _MAY_FAIL else []
        if self.stage is None or not all(file.is_file() for file in told):
            return None
        return next(filter(None, map(failure, told)), "")


@dataclass(frozen=True)
class Jobs:
    """What was run for a scale.

    Attributes:
        jobs: in the order of their records' paths; at least one.
        planned: how many records the configuration asks for.
        datasets: those that any job worked on -> whether their images are official or drawn.
        configured: all of it is what the configuration asks for, so that its values are those of the jobs.
        hashes: SHA-256 of each file that a job read or wrote and that is here.
    """

    jobs: Sequence[Job]
    planned: int
    datasets: Mapping[str, str]
    configured: bool
    hashes: Mapping[str, str]

    @property
    def started(self) -> datetime:
        """When the first job began; where none says so, when the first ended."""
        return min(job.started or job.finished for job in self.jobs)

    @property
    def finished(self) -> datetime:
        """When the last job ended."""
        return max(job.finished for job in self.jobs)


def gather(params: Params, configuration: Path = PARAMS_FILE) -> Jobs:
    """What was run for a configuration's scale, in this folder. Results that it does not ask for are left out.

    Args:
        configuration: the file that ``params`` came from, for messages.

    Raises:
        ProvenanceError: there is no record; one cannot be read; or a file is not what a record says of it.
    """
    expected = Expected(params, configuration)
    plan = expected.plan(params.scale)
    found = {path: _readable(path) for path in built(params)}
    faults = {path: expected.fault(path, record) for path, record in found.items()}
    asked = [path for path, fault in faults.items() if fault is None or fault[0] != NOT_ASKED]
    if len(asked) < len(found):
        log.warning("left out %d results that %s does not ask for", len(found) - len(asked), configuration)
    if not asked:
        raise ProvenanceError(
            f"no result of scale {params.scale} has a record of provenance here: `snakemake --cores all --config "
            f"scale={params.scale}` builds it"
        )
    other = [f"{path}: {': '.join(filter(None, fault))}" for path in asked if (fault := faults[path]) is not None]
    if other:
        log.warning(
            "the crate does not say the values of %s: %d of %d results are of another configuration, such as %s. Name "
            "theirs by --file or --config",
            *(configuration, len(other), len(asked), other[0]),
        )
    jobs = [Job(path, found[path], _time(path, found[path])) for path in sorted(asked)]
    makers = {file: one.dataset for one in plan.steps for file in one.outputs}
    read = {file for job in jobs for file in (*job.record.inputs, *job.outputs)}
    datasets = {name for file in read if (name := makers.get(file)) is not None}
    sources = {name: params.study.source for name in params.datasets if name in datasets} | dict(_sources(jobs))
    return Jobs(jobs, len(plan.by_record), sources, not other, _unaltered(jobs))


def _readable(path: Path) -> Record:
    found = read_record(path)
    if isinstance(found, str):
        raise ProvenanceError(f"{path} cannot be read ({found}): `vicious discard {path.parent}` deletes it")
    return found


def _time(path: Path, record: Record) -> datetime:
    try:
        return datetime.fromisoformat(record.finished).astimezone(UTC)
    except ValueError:
        raise ProvenanceError(
            f"{path} has {record.finished!r} where a time should stand: `vicious discard {path.parent}` deletes it"
        ) from None


def _sources(jobs: Iterable[Job]) -> Iterator[tuple[str, str]]:
    """Datasets whose preparation is recorded, and where their images are from."""
    for job in jobs:
        settings = job.record.settings
        if job.record.command == "prepare" and isinstance(settings.get("dataset"), str):
            yield settings["dataset"], str(settings.get("images"))


def _unaltered(jobs: Sequence[Job]) -> dict[str, str]:
    """The hash of each file that is here; each is what every record says of it."""
    recorded = [(file, sha) for job in jobs for file, sha in {**job.record.inputs, **job.outputs}.items()]
    current, refused = hash_files({file for file, _ in recorded})
    wrong = sorted({file for file, sha in recorded if file in refused or current.get(file, sha) != sha})
    if wrong:
        shown = listed(wrong[:_SHOWN]) + (f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else "")
        places = sorted(
            {str(job.path.parent) for job in jobs if not {*job.record.inputs, *job.outputs}.isdisjoint(wrong)}
        )
        raise ProvenanceError(
            f"not what their records say: {shown}. `vicious verify {places[0]}` tells more; `vicious discard` deletes "
            "what was made otherwise, and `snakemake` makes it anew"
        )
    return current
