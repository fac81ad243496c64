"""Discarding results that are not what params.yaml and the code make.

Records of provenance lie beside the results, so they tell of any result what it was made by, wherever it came from:
built here, checked out or pulled by DVC, copied into the folder of an experiment. Snakemake's own records stay in the
folder where it ran.
"""

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vicious.provenance.expected import Expected
from vicious.provenance.origin import MADE, built, made_otherwise, stale, untracked
from vicious.provenance.records import Record, by_own_name, plain_name, read_record, real_name, records_below
from vicious.provenance.verify import hash_files
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.study.plan import Plan, Planned
from vicious.system.escape import escaped
from vicious.system.files import storage_errors
from vicious.workflow.unlock import check_not_locked

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Discarded:
    """A step's results that were deleted.

    Attributes:
        record: path of the record that stood beside them; of the result itself where there was none.
        reason: why.
    """

    record: Path
    reason: str

    def __str__(self) -> str:
        return escaped(f"discarded {self.record} and what it records: {self.reason}")


def discard(places: Sequence[Path], params: Params, configuration: Path = PARAMS_FILE) -> list[Discarded]:
    """Delete what some folders hold of results that a build would not make, each step's with its record.

    That is what was made with other settings, by other code or from other files, what was altered since, and what has
    no readable record. Of prepared data the record of the source goes too, so that fetching looks at the raw files
    again. What the configuration does not ask for stays, a seed's models that it no longer lists say: nothing is made
    of them, and they may be asked for again.

    No record has anything else deleted: a file goes only if the step in the record's place writes it, and if it lies
    below a given place or a folder of the study, with no link between. What else a record names is left, with a
    warning.

    Where Snakemake has no records of its own, as in the folder of an experiment, all that is built for the scale is
    looked at, and what is kept is made no older than what it was made from: Snakemake then goes by times, and keeps it
    too. Anywhere in the scale goes what it would mistake for its own (:func:`vicious.provenance.origin.stale`), and
    what was made from that, which it would not look at.

    Args:
        places: folders of results or figures; those that are not there hold nothing.
        params: what is asked for, and the scale.
        configuration: the file that ``params`` came from, for messages.

    Returns:
        What was deleted, in the order of the records' paths.

    Raises:
        StorageError: a file may not be deleted.
        StudyRunningError: Snakemake may be at work here.
    """
    check_not_locked(Path())
    recorded = MADE.is_dir() and any(MADE.iterdir())
    places = places if recorded else [*places, *map(Path, paths.built(params.scale))]
    places = [by_own_name(place) for place in places]
    records = {path: read_record(path) for place in places for path in sorted(records_below(place))}
    readable = {path: found for path, found in records.items() if isinstance(found, Record)}
    current, _ = hash_files({file for one in readable.values() for file in (*one.inputs, *(one.outputs or {}))})
    expected = Expected(params, configuration)
    foreign = untracked(params)
    found = _reasons(records, current, expected, foreign)
    records |= foreign
    gone = found.keys() & foreign.keys()
    if gone:
        records |= {path: read_record(path) for path in built(params) if path not in records}
        asked = {path for path in records if expected.step(path) is not None}
        found |= _made_from(gone, records, asked - found.keys())
    roots = [Path(plain_name(str(place))) for place in (*places, *paths.built(params.scale))]
    for path in list(found):
        if _lies_in(path, roots):
            _delete(path, records[path], expected.step(path), roots)
        else:
            log.warning("left %s and its files: a link leads out of the given folders; delete them yourself", path)
            del found[path]
    recorded_files = {file for record in readable.values() for file in record.outputs or {}}
    for file in _without_record(places, expected.plan(params.scale), recorded_files):
        if _lies_in(file, roots):
            found[file] = "it has no record"
            _unlink(file)
        else:
            log.warning("left %s: a link leads out of the given folders to it; delete it yourself", file)
    if not recorded:
        kept = {path: record for path, record in readable.items() if path not in found}
        _settle({path: record for path, record in kept.items() if expected.step(path) is not None})
    return [Discarded(path, reason) for path, reason in found.items()]


def _reasons(
    records: Mapping[Path, Record | str],
    current: Mapping[str, str],
    expected: Expected,
    foreign: Mapping[Path, Record | str],
) -> dict[Path, str]:
    """Why results are not what a build would make: of those in question, and of foreign ones that Snakemake would
    keep."""
    reasons = {
        path: record if isinstance(record, str) else made_otherwise(path, record, expected) or altered(record, current)
        for path, record in records.items()
        if expected.step(path) is not None
    }
    reasons |= {path: stale(path, record, expected) for path, record in foreign.items() if reasons.get(path) is None}
    return {path: reason for path, reason in reasons.items() if reason is not None}


def _without_record(places: Iterable[Path], plan: Plan, recorded: Collection[str]) -> Iterator[Path]:
    """The files of asked-for steps that lie in some places and stand in no record: nobody knows how they were made."""
    folders = [plain_name(str(place)) for place in places]
    for planned in plan.by_record.values():
        for file in planned.step.writes():
            inside = any(file.is_relative_to(folder) for folder in folders)
            if inside and str(file) not in recorded and file.is_file():
                yield file


def _made_from(
    gone: Collection[Path], records: Mapping[Path, Record | str], candidates: Collection[Path]
) -> dict[Path, str]:
    """Which candidates were made from what some records tell of, directly or not, and from which file."""
    found: dict[Path, str] = {}
    new = set(gone)
    while new:
        files = {file for path in new if isinstance(one := records[path], Record) for file in one.outputs or {}}
        new = set()
        for path in sorted(candidates):
            record = records[path]
            if path not in found and isinstance(record, Record):
                read = sorted(files & record.inputs.keys())
                if read:
                    found[path] = f"made from {read[0]}, which was discarded"
                    new.add(path)
    return found


def altered(record: Record, current: Mapping[str, str]) -> str | None:
    """Which file of these results is not the one that was written or read, or None."""
    parts = ((record.outputs or {}, "was altered or deleted"), (record.inputs, "is not what it was made from"))
    for files, reason in parts:
        for file, sha in files.items():
            if current.get(file) != sha:
                return f"{file} {reason}"
    return None


def _delete(path: Path, record: Record | str, planned: Planned | None, roots: Sequence[Path]) -> None:
    """Delete what a record names and the step in its place writes; then the record, so that a kill leaves nothing
    without one. Of prepared data the record of the source goes too."""
    named, written = set(), set()
    if isinstance(record, Record) and planned is not None:
        source = {str(getattr(planned.step, "source", ""))} if planned.step.command() == "prepare" else set()
        written = {*map(str, planned.step.writes()), *source}
        named = {*(record.outputs or {}), *source}
    for name in sorted(named):
        if name not in written:
            log.warning("left %s, which %s names: its step does not write it", name, path)
        elif not _lies_in(Path(name), roots):
            log.warning("left %s: a link leads out of the given folders to it; delete it yourself", name)
        else:
            _unlink(Path(name))
    _unlink(path)


def _lies_in(file: Path, roots: Sequence[Path]) -> bool:
    """Whether a file lies below one of some folders, which may be links, with no link between it and that folder."""
    inside = [root for root in roots if file.is_relative_to(root)]
    return any(real_name(file) == str(Path(os.path.realpath(root)) / file.relative_to(root)) for root in inside)


def _unlink(file: Path) -> None:
    if file.is_dir() and not file.is_symlink():
        log.warning("left %s: it is a folder; delete it yourself", file)
        return
    with storage_errors(file):
        file.unlink(missing_ok=True)


def _settle(records: Mapping[Path, Record]) -> None:
    """Make what steps wrote, records included, no older than what they read; again for steps that read what was
    settled."""
    for _ in records:  # a chain of steps is no longer; and some file systems never take the time that they are given
        if not [path for path, record in records.items() if _made_later(path, record)]:
            return


def _made_later(path: Path, record: Record) -> bool:
    """Give a step's files that are older than one that it read the time of this; whether there were any."""
    newest = max((_time(file) for file in map(Path, record.inputs) if file.is_file()), default=0)
    older = [file for file in (path, *map(Path, record.outputs or {})) if file.is_file() and _time(file) < newest]
    for file in older:
        with storage_errors(file):
            os.utime(file, ns=(newest, newest))
            if _time(file) < newest:  # this file system keeps coarser times: the next whole second
                os.utime(file, ns=(-(-newest // 10**9) * 10**9,) * 2)
    return bool(older)


def _time(file: Path) -> int:
    return file.stat().st_mtime_ns
