"""Whether results are what their provenance says.

Every file that a record names is hashed again; what one command read must be what another wrote; a step's settings must
be those that params.yaml asks for, and a summary, table or figure must be of all the cells that it asks for. A record
that wrote what another read is followed, so that one table leads back to the prepared data.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vicious.provenance.expected import NOT_ASKED, OTHER_SETTINGS, Expected, scale_of, step_behind
from vicious.provenance.origin import of_other_code
from vicious.provenance.records import ENDING, Record, is_record, plain_name, read_record, read_records, records_below
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.system.errors import ProvenanceError
from vicious.system.files import digest
from vicious.system.progress import Progress

KINDS = (
    *("missing", "altered", "altered since", "without a record", "unreadable"),
    *(OTHER_SETTINGS, NOT_ASKED),
)
"""Kinds of findings, in the order in which they are listed; docs/experiments.md says what they mean."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: out of :data:`KINDS`.
        what: the file's or record's path first, then what is the matter.
    """

    kind: str
    what: str

    def __str__(self) -> str:
        """One line, whatever characters a record holds."""
        return f"{self.kind}: {''.join(one if one.isprintable() else repr(one)[1:-1] for one in self.what)}"


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        records: number of records read.
        files: number of files hashed.
        findings: grouped by kind, sorted.
        notes: what is worth knowing and no fault.
    """

    records: int
    files: int
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        notes = [f"note: {note}" for note in self.notes]
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
                "another configuration, then run `snakemake` again; or name by --file the configuration they are of"
            )


def verify(places: Sequence[Path], params: Params, configuration: Path = PARAMS_FILE) -> Report:
    """Verify the records below some places, and those of all that their results were made from.

    Args:
        places: folders of results or figures, or single records.
        params: what is asked for now; its scale does not matter, paths tell theirs.
        configuration: the file that ``params`` came from, for messages.

    Raises:
        ProvenanceError: there is no record.
    """
    read = read_records([file for place in places for file in _record_files(place)])
    records = {path: found for path, found in read.items() if isinstance(found, Record)}
    damaged = {str(path): found for path, found in read.items() if isinstance(found, str)}
    named = {file for record in records.values() for file in (*record.inputs, *(record.outputs or {}))}
    current, refused = hash_files(named)
    expected = Expected(params, configuration)
    findings = [
        *(Finding("unreadable", f"{file}: {reason}") for file, reason in {**damaged, **refused}.items()),
        *_changed(records, current, refused),
        *_without_record(places, read, records),
        *_of_another_configuration(records, expected),
    ]
    findings.sort(key=lambda finding: (KINDS.index(finding.kind), finding.what))
    notes = [*_not_built(places, records, expected), *_notes(list(records.values()))]
    return Report(len(records), len(current), findings, notes)


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
    try:
        return Path(file).is_file()
    except OSError:  # no file can have this name, or a folder may not be read
        return False


def hash_files(files: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The hash of each file that is there, or the reason why it cannot be read."""
    current: dict[str, str] = {}
    refused: dict[str, str] = {}
    there = sorted(filter(_is_file, files))
    with Progress(len(there), "verify", "files") as progress:
        for file in there:
            try:
                current[file] = digest(file)
            except OSError as error:
                refused[file] = str(error.strerror)
            progress.advance(1)
    return current, refused


def _changed(records: Mapping[Path, Record], current: Mapping[str, str], refused: Collection[str]) -> Iterable[Finding]:
    """Files that are missing, that are not what was written, or not what was read; a fault of a file is told once."""
    written = _written(records)
    for file, (path, sha) in written.items():
        by = f"{records[path].command} ({path})"
        if file not in current and file not in refused:
            yield Finding("missing", f"{file}, written by {by}")
        elif current.get(file, sha) != sha:
            yield Finding("altered", f"{file} is not what {by} wrote")
    for file, readers in _readers(records).items():
        if file not in current and file not in written and file not in refused:
            yield Finding("missing", f"{file}, read by {_named([path for path, _ in readers], records)}")
            continue
        due = written[file][1] if file in written else current.get(file)
        stale = [path for path, sha in readers if due is not None and sha != due]
        if stale:
            yield Finding("altered since", f"{file} is not what {_named(stale, records)} read")


def _without_record(
    places: Iterable[Path], read: Mapping[Path, Record | str], records: Mapping[Path, Record]
) -> Iterable[Finding]:
    """Files that no record accounts for: a record is gone, or they were put there by hand.

    Looked for among what was read, below the study's folders, and beside records; not beside those that cannot tell
    what was written, being of old or damaged.
    """
    silent = {path.parent for path, one in read.items() if isinstance(one, str) or one.outputs is None}
    beside = {path.parent for path in read} - silent
    below = {path for place in places if place.is_dir() for path in place.rglob("*") if path.is_file()}
    found = {plain_name(str(path)) for path in below if path.parent in beside or _of_study(plain_name(str(path)))}
    readers = _readers(records)
    found |= {file for file in readers if _of_study(file) and _is_file(file)}
    accounted = {_real(file) for file in (*_written(records), *map(str, read))}
    for file in sorted(found):
        if Path(file).parent not in silent and not Path(file).name.startswith(".") and _real(file) not in accounted:
            by = f", read by {_named([path for path, _ in readers[file]], records)}" if file in readers else ""
            yield Finding("without a record", f"{file}{by}")


def _real(file: str) -> str:
    """A file's name in its real folder, for folders that are links; the file itself may be one into a cache."""
    return str(PurePosixPath(os.path.realpath(PurePosixPath(file).parent)) / PurePosixPath(file).name)


def _of_study(file: str) -> bool:
    """Whether a step that writes a record is what should have written a file."""
    scale = scale_of(file)
    return scale is not None and not file.startswith(f"{paths.results(scale)}/complete/")


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


def _of_another_configuration(records: Mapping[Path, Record], expected: Expected) -> Iterable[Finding]:
    for path, record in records.items():
        if fault := expected.fault(path, record):
            yield Finding(fault[0], ": ".join(filter(None, (str(path), fault[1]))))


def _not_built(places: Iterable[Path], records: Mapping[Path, Record], expected: Expected) -> Iterable[str]:
    """What is asked for below the places and has no record, at the scales that have any."""
    folders = [plain_name(str(place)) for place in places]
    scales = {scale for scale in (scale_of(str(path)) for path in records) if scale is not None}
    for scale in sorted(scales):
        due = [path for path in expected.plan(scale).by_record if any(map(Path(path).is_relative_to, folders))]
        left = [path for path in due if Path(path) not in records]
        if left:
            asked = f"results that {expected.configuration} asks for"
            yield f"{len(left)} of {len(due)} {asked} are not built, such as {min(left)}"


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
