"""Obtain a dataset's files, official or synthetic, and record which ones they are."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vicious.data.facts import Dataset
from vicious.data.unpacked import measure
from vicious.system.errors import DataError
from vicious.system.files import check_regular, digest, write_json
from vicious.system.typed_json import UntypedError, read_typed


def obtain(
    dataset: Dataset,
    source: Literal["official", "synthetic"],
    root: Path,
    record: Path,
    *,
    download: bool,
    checksums: Mapping[str, str],
    counts: tuple[int, int, int] | None,
) -> None:
    """Make sure that the files of ``dataset`` lie below ``root`` and write ``record``, a JSON of what was verified.

    Args:
        source: "official" files are taken as by :func:`~vicious.data.fetch.fetch`; "synthetic" stand-ins are drawn.
        counts: train, validation and test images of a synthetic stand-in.

    Raises:
        ConfigError, DataError, StorageError: see :func:`~vicious.data.fetch.fetch`; the last of a stand-in, too.
    """
    if source == "official":
        from vicious.data.fetch import fetch

        files = [asdict(file) for file in fetch(dataset, root, download=download, checksums=checksums)]
    else:
        files = _draw(dataset, root, counts)
    licence = dataset.licence if source == "official" else "MIT, drawn by this project"
    known = {"dataset": dataset.name, "source": source, "root": root.as_posix(), "licence": licence}
    write_json(record, {**known, "files": files})


def read_source(record: Path) -> dict[str, Any]:
    """Read a record; raises DataError where it is damaged, or a file it names is missing or was altered since.

    An unpacked folder is a file in this sense.
    """
    try:
        content = read_typed(record, _Record)
    except UntypedError as error:
        raise DataError(f"{error}: delete it and run `snakemake` again") from None
    for file in content.files:
        path = Path(content.root) / file.path
        try:
            measured = measure if path.is_dir() else _measured
            same = measured(path) == (file.size, file.sha256)
        except FileNotFoundError:
            raise DataError(f"{path} is missing since it was fetched: {_AGAIN}") from None
        except (OSError, ValueError) as error:  # a name that no file can have
            raise DataError(f"{path} cannot be read ({error}): mend that, or {_AGAIN}") from error
        if not same:
            remedy = "unpack it again" if path.is_dir() else "delete it"
            raise DataError(f"{path} was altered since it was fetched: {remedy}, then {_AGAIN}")
    return content.model_dump()


def _measured(path: Path) -> tuple[int, str]:
    return check_regular(path).st_size, digest(path)


class _File(BaseModel):
    """A verified file, as its record says."""

    model_config = ConfigDict(extra="allow")

    path: str
    size: Annotated[int, Field(ge=0)]
    sha256: str


class _Record(BaseModel):
    """The record of a dataset's files."""

    model_config = ConfigDict(extra="allow")

    dataset: str
    source: Literal["official", "synthetic"]
    root: str
    files: list[_File]


_AGAIN = "run `snakemake --cores 1 --forcerun fetch` with your other options to fetch it again"


def _draw(dataset: Dataset, root: Path, counts: tuple[int, int, int] | None) -> list[dict[str, Any]]:
    from vicious.data.synthetic.plan import write_synthetic

    if counts is None:
        raise ValueError("a synthetic stand-in needs its numbers of train, validation and test images")
    files = write_synthetic(dataset, root, *counts)
    facts = {"official": False, "how": "drawn: synthetic stand-in"}
    return [
        {"path": file.relative_to(root).as_posix(), "size": file.stat().st_size, "sha256": digest(file), **facts}
        for file in files
    ]
