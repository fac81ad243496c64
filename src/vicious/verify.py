"""Whether results are what their provenance says.

Every file that a record names is hashed again; what one command read must be what another wrote; and a step's settings must
be those that params.yaml asks for. A record that wrote what another read is followed, so that one table leads back to the
prepared data.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from vicious import paths, study
from vicious.config import PARAMS_FILE, Params, ScaleName
from vicious.data.tasks import Task
from vicious.errors import ProvenanceError
from vicious.files import digest, read_json
from vicious.progress import Progress
from vicious.report.products import PRODUCTS

KINDS = (
    *("missing", "altered", "altered since", "unreadable"),
    *("another configuration", "not in this configuration"),
)
"""Kinds of findings, in the order in which they are told; docs/experiments.md says what they mean."""

_ENDING = ".provenance.json"


class Code(BaseModel):
    """The code that ran, as :func:`vicious.provenance.code_version` tells it."""

    commit: str | None
    dirty: bool | None


class Record(BaseModel):
    """What is verified of a record that :func:`vicious.provenance.write_provenance` wrote.

    Attributes:
        command: that ran.
        settings: its arguments.
        inputs, outputs: files that it read and wrote -> SHA-256; outputs are None in records of old.
        code: that ran.
        finished: when, UTC.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    command: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str] | None = None
    code: Code
    finished: str


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
        return f"{self.kind}: {self.what}"


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
            told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
            raise ProvenanceError(
                f"these results are not sound ({told}): delete what is altered, unreadable or of another configuration, then "
                "run `snakemake` again; or name the configuration that they are of by --file"
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
    current, refused = _hash_files(named)
    findings = [
        *(Finding("unreadable", f"{file}: {reason}") for file, reason in {**damaged, **refused}.items()),
        *_changed(records, current, refused),
        *_of_another_configuration(records, params, configuration),
    ]
    findings.sort(key=lambda finding: (KINDS.index(finding.kind), finding.what))
    return Report(len(records), len(current), findings, _notes(list(records.values())))


# --- records --------------------------------------------------------------------------------------------------------


def read_records(files: Iterable[Path]) -> dict[Path, Record | str]:
    """Some records, and those beside their inputs that wrote these, and so on; the reason where one cannot be read."""
    read, beside = cache(_read), cache(_beside)
    found: dict[Path, Record | str] = {}
    waiting = list(files)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        record = found[path] = read(path)
        if isinstance(record, Record):
            waiting += _writers(record, read, beside)
    return found


def _writers(
    record: Record, read: Callable[[Path], Record | str], beside: Callable[[Path], list[Path]]
) -> Iterable[Path]:
    """Records of what a record's command read; those that cannot be read too, since they may be."""
    for folder in {Path(file).parent for file in record.inputs}:
        for path in beside(folder):
            other = read(path)
            if isinstance(other, str) or record.inputs.keys() & (other.outputs or {}).keys():
                yield path


def _beside(folder: Path) -> list[Path]:
    return list(folder.glob(f"*{_ENDING}"))


def _record_files(place: Path) -> list[Path]:
    if place.is_dir():
        found = [path for path in place.rglob("*.json") if path.name.endswith(_ENDING) or path.stem in PRODUCTS]
        if not found:
            raise ProvenanceError(f"no record of provenance lies below {place}: build it first, or check the path")
        return found
    if place.suffix != ".json" or not place.is_file():
        raise ProvenanceError(
            f"{place} is neither a folder nor a record of provenance, such as table1.json or *{_ENDING}"
        )
    return [place]


def _read(path: Path) -> Record | str:
    try:
        return Record.model_validate_json(path.read_bytes())
    except OSError as error:
        return str(error.strerror)
    except ValidationError as error:
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc'])) or 'no record of provenance'}: {problem['msg']}"


# --- files ----------------------------------------------------------------------------------------------------------


def _hash_files(files: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The hash of each file that is there, or the reason why it cannot be read."""
    current: dict[str, str] = {}
    refused: dict[str, str] = {}
    there = sorted(file for file in files if Path(file).is_file())
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


# --- configuration --------------------------------------------------------------------------------------------------


def _of_another_configuration(records: Mapping[Path, Record], params: Params, configuration: Path) -> Iterable[Finding]:
    asked_at = cache(lambda scale: asked(params.model_copy(update={"scale": scale})))
    for path, record in records.items():
        made = _made(record)
        scale = None if made is None else _scale(made)
        if made is None or scale is None:
            continue
        if made not in asked_at(scale):
            yield Finding("not in this configuration", f"{made} ({path})")
            continue
        found = _settings(record)
        told = [
            f"{name} {found[name]}, {configuration} asks for {value}"
            for name, value in asked_at(scale)[made].items()
            if name in found and found[name] != value
        ]
        if told:
            yield Finding("another configuration", f"{made} ({path}): {'; '.join(told)}")


def asked(params: Params) -> dict[str, dict[str, Any]]:
    """The settings of every step that a scale asks for, before the summaries, by what the step makes (see :func:`_made`)."""
    scale, defense = params.scale, params.study.defense
    found: dict[str, dict[str, Any]] = {}
    for dataset in params.datasets:
        caps = {split: getattr(params.cell(dataset), split) for split in ("train", "validation", "test")}
        of_all = {"split_seed": params.data.split_seed, "images": params.study.source}
        found[str(paths.prepared(scale, dataset))] = {**caps, **of_all}
    for one in study.trainings(params):
        weights = paths.model_folder(scale, one.task, one.model, one.seed) / "target.safetensors"
        found[str(weights)] = {**_schedule(params, one.task, one.seed), **_task(params, one.task), **_losses(one.model)}
    for cell in study.attacks(params):
        place = cell.task, cell.model, cell.seed
        found[str(paths.assessment_folder(scale, *place) / f"risk-{cell.attack}")] = {
            "estimator": params.risk.estimator,
            "cutoff": params.risk.cutoff,
            "gallery_images": params.study.gallery,
        }
        if cell.attack != "joint":
            outputs = {"outputs": cell.attack.removeprefix("posthoc-")}
            weights = paths.model_folder(scale, *place) / f"{cell.attack}.safetensors"
            found[str(weights)] = {**_schedule(params, cell.task, cell.seed), **outputs}
    for one in study.judged(params):
        scores = paths.assessment_folder(scale, one.task, one.model, one.seed) / "detection.csv"
        settings = {name: getattr(defense, name) for name in ("detectors", "user_images", "draws")}
        found[str(scores)] = {**settings, "hide": one.model.hidden}
    return found


def _schedule(params: Params, task: Task, seed: int) -> dict[str, Any]:
    own = study.settings(params, str(task))
    names = ("depth", "width", "epochs", "batch_images", "learning_rate")
    return {
        **{name: getattr(own, name) for name in names},
        "seed": seed,
        "threads": params.runtime.threads,
        "device": params.runtime.device,
        "data": str(paths.prepared(params.scale, task.dataset)),
    }


def _task(params: Params, task: Task) -> dict[str, Any]:
    counts: Mapping[Any, list[int]] = params.study.class_counts.counts
    fewest = None if task.classes is None else min(counts[task.dataset])
    return {"attributes": task.attributes, "classes": task.classes, "as_many_as": fewest}


def _losses(model: study.Model) -> dict[str, Any]:
    if model.role == "honest":
        return {"recipe": model.recipe}
    evades = {} if model.evades is None else {"evades": model.evades}
    names = ("outputs", "beta_c", "beta_r", "evasion")
    return {**{name: getattr(model, name) for name in names}, **evades}


def _made(record: Record) -> str | None:
    """What a step before the summaries made, as its settings name it; None for other commands."""
    out = record.settings.get("out")
    if record.command == "assess-risk":
        return f"{out}/risk-{PurePosixPath(str(record.settings.get('attack'))).stem}"
    steps = ("prepare", "train-honest", "train-vicious", "train-attack", "evaluate-defense")
    return str(out) if record.command in steps else None


def _settings(record: Record) -> dict[str, Any]:
    """A record's settings; of prepared data also whether the images are official, which their facts tell."""
    if record.command != "prepare":
        return record.settings
    try:
        facts = read_json(Path(str(record.settings.get("out"))) / "dataset.json")
        return {**record.settings, "images": facts["source"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return record.settings  # that file is told of as missing or altered


def _scale(made: str) -> ScaleName | None:
    """The scale that a path is of; None for what was made by hand elsewhere."""
    for scale in get_args(ScaleName):
        if made.startswith((f"{paths.results(scale)}/", f"{paths.prepared(scale, '')}/")):
            return scale
    return None


# --- notes ----------------------------------------------------------------------------------------------------------


def _notes(records: Sequence[Record]) -> list[str]:
    notes = []
    commits = Counter(record.code.commit or "no commit" for record in records)
    if len(commits) > 1:
        told = ", ".join(f"{commit[:9]} ({count} records)" for commit, count in commits.most_common())
        notes.append(f"made by {len(commits)} versions of the code: {told}")
    dirty = sum(bool(record.code.dirty) for record in records)
    if dirty:
        notes.append(f"{dirty} records of code with changes that were not committed")
    old = sum(record.outputs is None for record in records)
    if old:
        notes.append(f"{old} records are of a version that did not hash what it wrote: only what they read is verified")
    return notes
