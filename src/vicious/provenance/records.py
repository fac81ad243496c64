"""Records of provenance, read back. Each stands beside what a command wrote."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Set
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from vicious.steps import commands, step_class
from vicious.study import paths
from vicious.study.artifacts import known
from vicious.study.config import ScaleName
from vicious.system.files import MOST_JSON, parse_json, read_bounded
from vicious.system.typed_json import first_problem

ENDING = ".provenance.json"
"""How the names of records end, apart from those beside tables and figures, which have the name of these."""
_OF_ONE_MODEL = ("out", "attack_out", "target", "attack", "covariance")


def plain_name(path: str) -> str:
    """A path in its plainest form, from the current folder where it lies below it: one file, one name."""
    return os.path.normpath(path).removeprefix(f"{Path.cwd()}/")


def _name(path: str) -> str:
    if "\0" in path:
        raise ValueError("no file has such a name")
    return plain_name(path)


Name = Annotated[str, Field(max_length=20_000), AfterValidator(_name)]


class Code(BaseModel):
    """The code that ran.

    Attributes:
        commit: of Git; None where none was recorded.
        dirty: whether it had changes that were not committed.
        hash: the step's code identity; None in records of old.
        package: version of the package.
    """

    commit: str | None
    dirty: bool | None
    hash: str | None = None
    package: str | None = None


class Record(BaseModel):
    """What is verified of a record of provenance.

    Attributes:
        command: that ran.
        settings: its arguments.
        inputs, outputs: files that it read and wrote -> SHA-256; outputs are None in records of old.
        code: that ran.
        libraries: that it used -> version.
        hardware: the machine in words.
        finished: when, UTC.
        seconds: by the clock; None where it is not recorded.
        peak_mb: most megabytes of memory that it held at once; None in records of old.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    command: Annotated[str, Field(max_length=100)]
    settings: dict[str, Any]
    inputs: dict[Name, str]
    outputs: dict[Name, str] | None = None
    code: Code
    libraries: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    finished: str
    seconds: float | None = None
    peak_mb: float | None = None


def records_below(folder: Path) -> list[Path]:
    """The records in a folder and its folders, those behind links too."""
    return [path for path in files_below(folder) if is_record(path)]


def real_place(place: Path) -> Path:
    """A place by its name behind all links."""
    return Path(os.path.realpath(place) if place.is_dir() else real_name(place))


def files_below(folder: Path) -> Iterable[Path]:
    """What lies in a folder and its folders, apart from hidden ones. Links are followed; each real folder comes once,
    by its own name if it has one here."""
    real, met = real_place(folder), set()
    for at, folders, files in os.walk(folder, followlinks=True):
        here = Path(at)
        target = real_place(here)
        around = target.is_relative_to(real) or real.is_relative_to(target)
        if target in met or (around and here.is_symlink() and here != folder):
            folders.clear()
            continue
        met.add(target)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (here / name for name in (*folders, *files))


def by_own_name(place: Path) -> Path:
    """A place by its name in the study, as records give it; as it is where it lies elsewhere.

    The place, the study's folders and the project itself may be reached through links.
    """
    name = Path(plain_name(str(place)))
    built = [Path(folder) for scale in get_args(ScaleName) for folder in paths.built(scale)]
    if any(name.is_relative_to(folder) or folder.is_relative_to(name) for folder in built):
        return name
    real = real_place(place)
    above = {real_place(folder): folder for one in built for folder in (*one.parents, one)}
    inside = [folder for folder in above if real.is_relative_to(folder)]
    nearest = max(inside, key=lambda folder: len(folder.parts), default=None)
    return place if nearest is None else above[nearest] / real.relative_to(nearest)


def real_name(file: str | Path) -> str:
    """A file's name in its real folder, for folders that are links; the file itself may be one into a cache."""
    return f"{os.path.realpath(Path(file).parent)}/{Path(file).name}"


def read_records(files: Iterable[Path]) -> dict[Path, Record | str]:
    """Some records, and those beside their inputs that wrote these, and so on; the reason where one cannot be read.

    Each comes once, by the name that was met first, however many links lead to its folder.
    """
    read, beside = cache(read_record), cache(_beside)
    found: dict[Path, Record | str] = {}
    met: set[str] = set()
    waiting = list(files)
    while waiting:
        path = Path(plain_name(str(waiting.pop())))
        real = real_name(path)
        if real in met:
            continue
        met.add(real)
        record = found[path] = read(path)
        if isinstance(record, Record):
            waiting += _writers(record.inputs.keys(), read, beside)
    return found


def settings_behind(files: Collection[str]) -> dict[str, dict[str, list[Any]]]:
    """The settings of each step before the summaries that some files go back to, by command: its distinct values of
    each.

    Seeds are among them. What only names a single model's files is left out.
    """
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for _, record in sorted(read_records(_writers({plain_name(file) for file in files}, read_record, _beside)).items()):
        if isinstance(record, Record) and _before_summaries(record.command):
            for name, value in sorted(record.settings.items()):
                values = found[record.command][name]
                if name not in _OF_ONE_MODEL and value not in values:
                    values.append(value)
    return {
        command: {name: sorted(values, key=_order) for name, values in settings.items() if values}
        for command, settings in sorted(found.items())
    }


def _before_summaries(command: str) -> bool:
    return command in commands() and step_class(command).STAGE in ("data", "models", "assessments")


def _order(value: Any) -> tuple[float, str]:
    return (value if isinstance(value, int | float) else 0.0, str(value))


def _writers(
    files: Set[str], read: Callable[[Path], Record | str], beside: Callable[[Path], list[Path]]
) -> Iterable[Path]:
    """Records of what wrote some files; those that cannot be read too, since they may be."""
    for folder in {Path(file).parent for file in files}:
        for path in beside(folder):
            other = read(path)
            if isinstance(other, str) or not files.isdisjoint(other.outputs or {}):
                yield path


def _beside(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.glob(f"*{ENDING}") if is_record(path)]
    except OSError:
        return []  # its files are reported as missing


def is_record(path: Path) -> bool:
    """Whether a file has the name of a record; hidden ones are leftovers, such as ``._x`` of macOS."""
    named = path.name.endswith(ENDING) or (path.suffix == ".json" and path.stem in known())
    return named and not path.name.startswith(".")


def read_record(path: Path) -> Record | str:
    """A record; the reason where it cannot be read, or is none."""
    try:
        if path.exists() and not path.is_file():
            return "it is no file"
        content = read_bounded(path, MOST_JSON)
        parse_json(content)
        return Record.model_validate_json(content)
    except OSError as error:
        return str(error.strerror)
    except ValidationError as error:
        return f"no record of provenance: {first_problem(error)}"
    except ValueError as error:
        return f"no record of provenance: {error}"
