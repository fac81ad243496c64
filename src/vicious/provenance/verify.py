"""Whether results are what their provenance says.

Every file that a record names is hashed again; what one command read must be what another wrote. A record that wrote
what another read is followed, so that one table leads back to the prepared data.

Settings and cells are compared with those that params.yaml asks for. Others are no damage: ``--config`` asked for them,
or not all was built yet. They are noted.
"""

import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vicious.provenance.expected import (
    IN_PART,
    NOT_ASKED,
    OTHER_SETTINGS,
    OTHER_STEP,
    Expected,
    scale_of,
    step_behind,
)
from vicious.provenance.origin import of_other_code, unfinished
from vicious.provenance.records import (
    ENDING,
    Record,
    by_own_name,
    files_below,
    is_record,
    plain_name,
    read_record,
    read_records,
    real_name,
    records_below,
)
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params, ScaleName
from vicious.system.errors import ProvenanceError
from vicious.system.escape import escaped
from vicious.system.files import digest
from vicious.system.progress import Progress

DAMAGE = ("missing", "altered", "altered since", "without a record", "unreadable", OTHER_STEP)
"""Kinds of findings that make results unsound, in the order in which they are listed."""
KINDS = (*DAMAGE, "unfinished", IN_PART, OTHER_SETTINGS, NOT_ASKED)
"""All kinds of findings, those that are only noted last; docs/experiments.md says what they mean."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, or not as params.yaml asks for.

    Attributes:
        kind: out of :data:`KINDS`.
        what: the file's or record's path first, then what is the matter.
    """

    kind: str
    what: str

    def __str__(self) -> str:
        return escaped(f"{self.kind}: {self.what}")


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        records: number of records read.
        files: number of files hashed.
        findings: damage, grouped by kind, sorted.
        noted: sound results that are not what the configuration asks for, likewise.
        notes: what else is worth knowing and no fault.
    """

    records: int
    files: int
    findings: list[Finding]
    noted: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        notes = [escaped(f"note: {note}") for note in (*self.noted, *self.notes)]
        return "\n".join([*map(str, self.findings), *notes, f"{self.records} records, {self.files} files verified"])

    def raise_if_unsound(self) -> None:
        """Raise where there are findings.

        Raises:
            ProvenanceError: counts them, and says what to do.
        """
        if self.findings:
            counts = Counter(finding.kind for finding in self.findings)
            words = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
            raise ProvenanceError(
                f"these results are not sound ({words}): delete what is altered, unreadable, without a record or of "
                "another step, and the results of a record that read it; then run `snakemake` again"
            )


def verify(places: Sequence[Path], params: Params, configuration: Path = PARAMS_FILE, *, here: bool = False) -> Report:
    """Verify the records below some places, and those of all that their results were made from.

    Args:
        places: folders of results or figures, or single records.
        params: what is asked for now; its scale does not matter, paths tell theirs.
        configuration: the file that ``params`` came from, for messages.
        here: what these results were made from may be missing, and was perhaps asked for otherwise, as in a clone: it
            is counted in a note.

    Raises:
        ProvenanceError: there is no record.
    """
    places = [by_own_name(place) for place in places]
    read = read_records([file for place in places for file in _record_files(place)])
    records = {path: found for path, found in read.items() if isinstance(found, Record)}
    damaged = {str(path): found for path, found in read.items() if isinstance(found, str)}
    named = {file for record in records.values() for file in (*record.inputs, *(record.outputs or {}))}
    current, refused = hash_files(named)
    expected = Expected(params, configuration)
    faults = {path: expected.fault(path, record) for path, record in records.items()}
    absent = list(_absent(records, {*current, *refused}))
    findings = [
        *(Finding("unreadable", f"{file}: {reason}") for file, reason in {**damaged, **refused}.items()),
        *([] if here else absent),
        *_changed(records, current, refused),
        *_without_record(places, read, records),
        *(Finding(fault[0], ": ".join(filter(None, (str(path), fault[1])))) for path, fault in faults.items() if fault),
    ]
    findings.sort(key=lambda finding: (KINDS.index(finding.kind), finding.what))
    damage = [one for one in findings if one.kind in DAMAGE]
    noted = [] if here else [one for one in findings if one.kind not in DAMAGE]
    notes = [*([] if here else _to_build(places, faults, expected)), *_notes(list(records.values()))]
    if here and absent:
        notes.append(f"{len(absent)} files that these results were made from are not here: unverified")
    return Report(len(records), len(current), damage, noted, notes)


def _record_files(place: Path) -> list[Path]:
    if place.is_dir():
        found = records_below(place)
        if not found:
            raise ProvenanceError(f"no record of provenance lies below {place}: build it first, or check the path")
        return found
    if not place.is_file() or not (is_record(place) or isinstance(read_record(place), Record)):
        raise ProvenanceError(
            f"{place} is neither a folder nor a record of provenance, such as main_table.json or *{ENDING}"
        )
    return [place]


def _is_file(file: str) -> bool:
    return os.path.isfile(file)  # noqa: PTH113 (which raises for a name that no file can have)


_OF_THE_SYSTEM = ("/dev/", "/proc/", "/sys/")
"""Below these, what looks like a file may have no end."""


def hash_files(files: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The hash of each file that is there, or the reason why it cannot be read."""
    current: dict[str, str] = {}
    refused: dict[str, str] = {}
    there = []
    for file in sorted(files):
        if not os.path.exists(file):  # noqa: PTH110 (as for _is_file)
            continue
        if os.path.realpath(file).startswith(_OF_THE_SYSTEM):
            refused[file] = "it is the system's, and is not read"
        elif _is_file(file):
            there.append(file)
        else:
            refused[file] = "it is no file"
    with Progress(len(there), "verify", "files") as progress:
        for file in there:
            try:
                current[file] = digest(file)
            except OSError as error:
                refused[file] = str(error.strerror)
            progress.advance(1)
    return current, refused


def _absent(records: Mapping[Path, Record], there: Collection[str]) -> Iterable[Finding]:
    """Files that were read and are missing, whose own records are missing, too."""
    written = _written(records)
    for file, readers in _readers(records).items():
        if file not in there and file not in written:
            yield Finding("missing", f"{file}, read by {_named([path for path, _ in readers], records)}")


def _changed(records: Mapping[Path, Record], current: Mapping[str, str], refused: Collection[str]) -> Iterable[Finding]:
    """Files that a record wrote and that are missing, or are not what was written, or not what was read; a fault of a
    file is told once."""
    written = _written(records)
    for file, (path, sha) in written.items():
        by = f"{records[path].command} ({path})"
        if file not in current and file not in refused:
            yield Finding("missing", f"{file}, written by {by}")
        elif current.get(file, sha) != sha:
            yield Finding("altered", f"{file} is not what {by} wrote")
    for file, readers in _readers(records).items():
        due = written[file][1] if file in written else current.get(file)
        stale = [path for path, sha in readers if due is not None and sha != due]
        if stale:
            yield Finding("altered since", f"{file} is not what {_named(stale, records)} read")


def _without_record(
    places: Iterable[Path], read: Mapping[Path, Record | str], records: Mapping[Path, Record]
) -> Iterable[Finding]:
    """Files that no record accounts for: their job was killed, a record is gone, or they were put there by hand.

    Looked for among what was read, below the study's folders, and beside records; not beside those that cannot tell
    what was written, being of old or damaged.
    """
    silent = {path.parent for path, one in read.items() if isinstance(one, str) or one.outputs is None}
    beside = {path.parent for path in read} - silent
    below = {path for place in places if place.is_dir() for path in files_below(place) if path.is_file()}
    found = {plain_name(str(path)) for path in below if path.parent in beside or _of_study(plain_name(str(path)))}
    readers = _readers(records)
    found |= {file for file in readers if _of_study(file) and _is_file(file)}
    accounted = {real_name(file) for file in (*_written(records), *map(str, read))}
    for file in sorted(found):
        if Path(file).parent not in silent and not Path(file).name.startswith(".") and real_name(file) not in accounted:
            by = f", read by {_named([path for path, _ in readers[file]], records)}" if file in readers else ""
            yield Finding("unfinished" if unfinished(Path(file)) else "without a record", f"{file}{by}")


def _of_study(file: str) -> bool:
    """Whether a step that writes a record is what should have written a file."""
    scale = scale_of(file)
    if scale is None or file == str(paths.report(scale)):
        return False
    return not file.startswith(f"{paths.results(scale)}/complete/")


def _written(records: Mapping[Path, Record]) -> dict[str, tuple[Path, str]]:
    """Each file that was written, by which record and with which hash: the last one's where several wrote it."""
    in_time = sorted(records.items(), key=lambda item: (item[1].finished, item[0]))
    return {file: (path, sha) for path, record in in_time for file, sha in (record.outputs or {}).items()}


def _readers(records: Mapping[Path, Record]) -> dict[str, list[tuple[Path, str]]]:
    readers = defaultdict(list)
    for path, record in sorted(records.items()):
        for file, sha in record.inputs.items():
            readers[file].append((path, sha))
    return readers


def _named(chosen: Sequence[Path], records: Mapping[Path, Record]) -> str:
    more = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
    return f"{records[chosen[0]].command} ({chosen[0]}{more})"


def _to_build(
    places: Collection[Path], faults: Mapping[Path, tuple[str, str] | None], expected: Expected
) -> Iterable[str]:
    """What is asked for below the places and has no record, at the scales that have any; and the command that builds
    this and what was built otherwise.

    Args:
        faults: what is the matter with each record there is, if anything (:meth:`Expected.fault`).
    """
    there = {real_name(path) for path in faults}
    kinds: dict[ScaleName, set[str]] = defaultdict(set)
    for path, fault in faults.items():
        if (scale := scale_of(str(path))) is not None:
            kinds[scale] |= {fault[0]} if fault else set()
    for scale in sorted(kinds):
        due = [path for path in expected.plan(scale).by_record if any(map(Path(path).is_relative_to, places))]
        left = [path for path in due if real_name(path) not in there]
        if left:
            asked = f"results that {expected.configuration} asks for"
            yield f"{len(left)} of {len(due)} {asked} are not built, such as {min(left)}"
        does = ["builds the rest"] if left or IN_PART in kinds[scale] else []
        does += ["makes anew what is of another configuration"] if OTHER_SETTINGS in kinds[scale] else []
        if does:
            yield f"scale {scale}: `{_command(scale, expected.configuration)}` {' and '.join(does)}"


def _command(scale: str, configuration: Path) -> str:
    """The command that builds all that a configuration asks for at a scale."""
    file = [] if configuration == PARAMS_FILE else ["--replace-workflow-config", "--configfile", str(configuration)]
    return shlex.join(["snakemake", "--cores", "all", *file, "--config", f"scale={scale}"])


def _notes(records: Sequence[Record]) -> list[str]:
    notes = []
    commits = Counter(record.code.commit or "no commit" for record in records)
    if len(commits) > 1:
        words = ", ".join(f"{commit[:9]} ({count} records)" for commit, count in commits.most_common())
        notes.append(f"made by {len(commits)} versions of the code: {words}")
    versions = defaultdict(set)
    for record in records:
        for library, version in record.libraries.items():
            versions[library].add(version)
    several = [f"{name} {', '.join(sorted(found))}" for name, found in sorted(versions.items()) if len(found) > 1]
    if several:
        notes.append(f"made with several versions of libraries: {'; '.join(several)}")
    dirty = sum(bool(record.code.dirty) for record in records)
    if dirty:
        notes.append(f"{dirty} records of code with changes that were not committed")
    other = sum(
        record.code.hash is not None and step_behind(record) is not None and of_other_code(record) for record in records
    )
    if other:
        notes.append(f"{other} records are of other code than what would make these results now")
    old = sum(record.outputs is None for record in records)
    if old:
        notes.append(f"{old} records are of a version that did not hash what it wrote: only what they read is verified")
    return notes
