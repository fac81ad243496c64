"""Whether results are what their provenance says.

Every file that a record names is hashed again; what one command read must be what another wrote; a step's settings must be
those that params.yaml asks for, and a summary, table or figure must be of all the cells that it asks for. A record that wrote
what another read is followed, so that one table leads back to the prepared data.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from vicious import paths, study
from vicious.config import PARAMS_FILE, Params, ScaleName
from vicious.data.tasks import Task
from vicious.errors import ProvenanceError
from vicious.files import digest, read_json
from vicious.progress import Progress
from vicious.report.products import PRODUCTS, SEVERAL

KINDS = (
    *("missing", "altered", "altered since", "without a record", "unreadable"),
    *("another configuration", "not in this configuration"),
)
"""Kinds of findings, in the order in which they are told; docs/experiments.md says what they mean."""

_ENDING = ".provenance.json"
_MADE = {
    **dict.fromkeys(("prepare", "train-honest", "train-vicious", "train-attack", "evaluate-defense"), "out"),
    **dict.fromkeys(("summarize", "compare", "summarize-defense"), "out"),
    "agree": "estimators",
    "per-class": "classes",
}
"""Which setting of a command names what it made."""
_STEPS = (
    "prepare",
    "fit-covariance",
    "train-honest",
    "train-vicious",
    "train-attack",
    "assess-risk",
    "evaluate-defense",
)
_OF_ONE_MODEL = ("out", "attack_out", "target", "attack")
_PATHS = ("data", "covariance", "target", "attack")
_GATHERED = ("results", "scores", *SEVERAL)


def _name(path: str) -> str:
    """A path in its plainest form, from the current folder where it lies below it: one file, one name."""
    return os.path.normpath(path).removeprefix(f"{Path.cwd()}/")


Name = Annotated[str, AfterValidator(_name)]


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
        libraries: that it used -> version.
        finished: when, UTC.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    command: str
    settings: dict[str, Any]
    inputs: dict[Name, str]
    outputs: dict[Name, str] | None = None
    code: Code
    libraries: dict[str, str] = {}
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
            told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
            raise ProvenanceError(
                f"these results are not sound ({told}): delete what is altered, unreadable, without a record or of another "
                "configuration, then run `snakemake` again; or name the configuration that they are of by --file"
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
        *_without_record(places, read, records),
        *_of_another_configuration(records, params, configuration),
    ]
    findings.sort(key=lambda finding: (KINDS.index(finding.kind), finding.what))
    notes = [*_not_built(places, records, params, configuration), *_notes(list(records.values()))]
    return Report(len(records), len(current), findings, notes)


# --- records --------------------------------------------------------------------------------------------------------


def read_records(files: Iterable[Path]) -> dict[Path, Record | str]:
    """Some records, and those beside their inputs that wrote these, and so on; the reason where one cannot be read."""
    read, beside = cache(_read), cache(_beside)
    found: dict[Path, Record | str] = {}
    waiting = list(files)
    while waiting:
        path = Path(_name(str(waiting.pop())))
        if path in found:
            continue
        record = found[path] = read(path)
        if isinstance(record, Record):
            waiting += _writers(record.inputs, read, beside)
    return found


def settings_behind(files: Collection[str]) -> dict[str, dict[str, list[Any]]]:
    """The settings of each step before the summaries that some files go back to, by command: its distinct values of each.

    Seeds are among them. What only names a single model's files is left out.
    """
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for _, record in sorted(read_records(_writers([_name(file) for file in files], _read, _beside)).items()):
        if isinstance(record, Record) and record.command in _STEPS:
            for name, value in sorted(record.settings.items()):
                values = found[record.command][name]
                if name not in _OF_ONE_MODEL and value not in values:
                    values.append(value)
    return {
        command: {name: sorted(values, key=_order) for name, values in settings.items() if values}
        for command, settings in sorted(found.items())
    }


def _order(value: Any) -> tuple[float, str]:
    return (value if isinstance(value, int | float) else 0.0, str(value))


def _writers(
    files: Collection[str], read: Callable[[Path], Record | str], beside: Callable[[Path], list[Path]]
) -> Iterable[Path]:
    """Records of what wrote some files; those that cannot be read too, since they may be."""
    for folder in {Path(file).parent for file in files}:
        for path in beside(folder):
            other = read(path)
            if isinstance(other, str) or not set(files).isdisjoint(other.outputs or {}):
                yield path


def _beside(folder: Path) -> list[Path]:
    try:
        return list(folder.glob(f"*{_ENDING}"))
    except OSError:
        return []  # its files are told of as missing


def _record_files(place: Path) -> list[Path]:
    if place.is_dir():
        found = [path for path in place.rglob("*.json") if _is_record(path)]
        if not found:
            raise ProvenanceError(f"no record of provenance lies below {place}: build it first, or check the path")
        return found
    if not place.is_file() or not (_is_record(place) or isinstance(_read(place), Record)):
        raise ProvenanceError(
            f"{place} is neither a folder nor a record of provenance, such as table1.json or *{_ENDING}"
        )
    return [place]


def _is_file(file: str) -> bool:
    try:
        return Path(file).is_file()
    except OSError:  # no file can have this name, or a folder may not be read
        return False


def _is_record(path: Path) -> bool:
    return path.name.endswith(_ENDING) or (path.suffix == ".json" and path.stem in PRODUCTS)


def _read(path: Path) -> Record | str:
    try:
        if path.exists() and not path.is_file():
            return "it is no file"
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

    Looked for among what was read, below the study's folders, and beside records; not beside those that cannot tell what was
    written, being of old or damaged.
    """
    silent = {path.parent for path, one in read.items() if isinstance(one, str) or one.outputs is None}
    beside = {path.parent for path in read} - silent
    below = {path for place in places if place.is_dir() for path in place.rglob("*") if path.is_file()}
    found = {_name(str(path)) for path in below if path.parent in beside or _of_study(_name(str(path)))}
    readers = _readers(records)
    found |= {file for file in readers if _of_study(file) and _is_file(file)}
    told = {_real(file) for file in (*_written(records), *map(str, read))}
    for file in sorted(found):
        if Path(file).parent not in silent and not Path(file).name.startswith(".") and _real(file) not in told:
            by = f", read by {_named([path for path, _ in readers[file]], records)}" if file in readers else ""
            yield Finding("without a record", f"{file}{by}")


def _real(file: str) -> str:
    """A file's name in its real folder, for folders that are links; the file itself may be one into a cache."""
    return str(PurePosixPath(os.path.realpath(PurePosixPath(file).parent)) / PurePosixPath(file).name)


def _of_study(file: str) -> bool:
    """Whether a step that writes a record is what should have written a file."""
    scale = _scale(file)
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


# --- configuration --------------------------------------------------------------------------------------------------


def _of_another_configuration(records: Mapping[Path, Record], params: Params, configuration: Path) -> Iterable[Finding]:
    scales = {scale: params.model_copy(update={"scale": scale}) for scale in get_args(ScaleName)}
    asked_at = cache(lambda scale: asked(scales[scale]) | gathered(scales[scale]))
    for path, record in records.items():
        made = _made(record)
        scale = None if made is None else _scale(made)
        if made is None or scale is None:
            continue
        if made not in asked_at(scale):
            yield Finding("not in this configuration", f"{made} ({path})")
            continue
        found = _settings(record)
        told = [_differs(name, found, due, configuration) for name, due in asked_at(scale)[made].items()]
        if any(told):
            yield Finding("another configuration", f"{made} ({path}): {'; '.join(filter(None, told))}")


def _differs(name: str, settings: Mapping[str, Any], due: Any, configuration: Path) -> str | None:
    """In what a setting is not the one that is asked for, if it is not; records of old lack settings that had no other value."""
    if name not in settings:
        return f"{name} not told, {configuration} asks for {due}" if due else None
    found = settings[name]
    if name in _PATHS and isinstance(found, str):
        found = _name(found)
    if name not in _GATHERED or not isinstance(found, list):
        return None if found == due else f"{name} {found}, {configuration} asks for {due}"
    files = {_name(str(file)) for file in found}
    parts = (("lacks", set(due) - files), ("has", files - set(due)))
    told = [f"{verb} {len(which)} such as {min(which)}" for verb, which in parts if which]
    return f"of the {len(due)} {name} that {configuration} asks for it {' and '.join(told)}" if told else None


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
        folder = paths.model_folder(scale, *place)
        target, attack = folder / "target.safetensors", folder / f"{cell.attack}.safetensors"
        found[str(paths.assessment_folder(scale, *place) / f"risk-{cell.attack}")] = {
            "estimator": params.risk.estimator,
            "cutoff": params.risk.cutoff,
            "gallery_images": params.study.gallery,
            "covariance": str(paths.prepared(scale, cell.task.dataset) / "covariance.safetensors"),
            "target": str(target),
            "attack": str(attack),
            **_computed(params, cell.task),
        }
        if cell.attack != "joint":
            of_attack = {"outputs": cell.attack.removeprefix("posthoc-"), "target": str(target)}
            found[str(attack)] = {**_schedule(params, cell.task, cell.seed), **of_attack}
    for one in study.judged(params):
        scores = paths.assessment_folder(scale, one.task, one.model, one.seed) / "detection.csv"
        target = paths.model_folder(scale, one.task, one.model.trained, one.seed) / "target.safetensors"
        settings = {name: getattr(defense, name) for name in ("detectors", "user_images", "draws")}
        of_model = {"target": str(target), "hide": one.model.hidden}
        found[str(scores)] = {**settings, **of_model, **_computed(params, one.task)}
    return found


def gathered(params: Params) -> dict[str, dict[str, list[str]]]:
    """The results of single cells that a scale's summaries, tables and figures are made from, by what is made of them."""
    scale, summaries = params.scale, paths.summaries(params.scale)
    cells = {experiment: study.cells(params, experiment) for experiment in study.EXPERIMENTS}
    judged = [paths.assessment_folder(scale, one.task, one.model, one.seed) for one in study.judged(params)]
    found: dict[str, dict[str, list[str]]] = {}
    for experiment, own in cells.items():
        names = [f"{experiment}.csv", f"{experiment}_comparisons.csv"] if own else []
        names += ["estimators.csv", "per_class.csv"] if own and experiment == "main" else []
        found |= {f"{summaries}/{name}": {"results": _assessments(scale, own)} for name in names}
    if judged:
        found[f"{summaries}/detection.csv"] = {"scores": [f"{folder}/detection.csv" for folder in judged]}
    for name, product in PRODUCTS.items():
        own = cells[product.experiment]
        several = {
            "assessments": _assessments(scale, own),
            "curves": _curves(scale, own),
            "verdicts": [f"{folder}/detection{_ENDING}" for folder in judged],
        }
        if own:
            found[_product(paths.figures(scale), name)] = {
                key: several[key] for key in product.inputs if key in SEVERAL
            }
    return found


def _assessments(scale: str, cells: Iterable[study.Cell]) -> list[str]:
    return [
        f"{paths.assessment_folder(scale, cell.task, cell.model, cell.seed)}/risk-{cell.attack}.json" for cell in cells
    ]


def _curves(scale: str, cells: Iterable[study.Cell]) -> list[str]:
    return [
        f"{paths.model_folder(scale, cell.task, cell.model, cell.seed)}/{name}.csv"
        for cell in cells
        for name in {"target", cell.attack} - {"joint"}
    ]


def _product(folder: object, name: str) -> str:
    return f"{folder}/{name}.json"


def _schedule(params: Params, task: Task, seed: int) -> dict[str, Any]:
    own = study.settings(params, str(task))
    names = ("depth", "width", "epochs", "batch_images", "learning_rate")
    return {
        **{name: getattr(own, name) for name in names},
        "seed": seed,
        **_computed(params, task),
    }


def _computed(params: Params, task: Task) -> dict[str, Any]:
    """What all steps that compute with models share."""
    own = params.runtime
    return {"threads": own.threads, "device": own.device, "data": str(paths.prepared(params.scale, task.dataset))}


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
    """What a command made, as its settings name it; None for commands whose settings params.yaml does not tell."""
    settings = {name: _name(value) for name, value in record.settings.items() if isinstance(value, str)}
    if record.command == "assess-risk":
        return f"{settings.get('out')}/risk-{PurePosixPath(settings.get('attack', '')).stem}"
    if record.command in PRODUCTS:
        return _product(settings.get("out"), record.command)
    return settings.get(_MADE.get(record.command, ""))


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
        folders = paths.results(scale), paths.prepared(scale, ""), paths.figures(scale)
        if made.startswith(tuple(f"{folder}/" for folder in folders)):
            return scale
    return None


# --- notes ----------------------------------------------------------------------------------------------------------


def _not_built(
    places: Iterable[Path], records: Mapping[Path, Record], params: Params, configuration: Path
) -> Iterable[str]:
    """What is asked for below the places and has no record, at the scales that have any."""
    folders = [_name(str(place)) for place in places]
    made = {made for made in map(_made, records.values()) if made is not None}
    for scale in sorted({scale for scale in map(_scale, made) if scale is not None}):
        own = params.model_copy(update={"scale": scale})
        due = [
            name for name in asked(own) | gathered(own) if any(Path(name).is_relative_to(folder) for folder in folders)
        ]
        left = [name for name in due if name not in made]
        if left:
            yield f"{len(left)} of {len(due)} results that {configuration} asks for are not built, such as {min(left)}"


def _notes(records: Sequence[Record]) -> list[str]:
    notes = []
    commits = Counter(record.code.commit or "no commit" for record in records)
    if len(commits) > 1:
        told = ", ".join(f"{commit[:9]} ({count} records)" for commit, count in commits.most_common())
        notes.append(f"made by {len(commits)} versions of the code: {told}")
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
    old = sum(record.outputs is None for record in records)
    if old:
        notes.append(f"{old} records are of a version that did not hash what it wrote: only what they read is verified")
    return notes
