"""Obtain a dataset's files, official or synthetic, and record which ones they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from vicious.data.catalog import CATALOG
from vicious.files import digest, write_json


def obtain(
    dataset: str,
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
        source: "official" verifies, and where ``download`` allows fetches; "synthetic" draws stand-ins.
        checksums: file name -> checksum accepted in place of the official one.
        counts: train, validation and test images of a synthetic stand-in.

    Raises:
        DataError: a file is missing or is not what it should be.
    """
    files = _draw(dataset, root, counts) if source == "synthetic" else _fetch(dataset, root, download, checksums)
    entry = CATALOG[dataset]
    write_json(
        record,
        {
            "dataset": dataset,
            "source": source,
            "root": root.as_posix(),
            "licence": entry.licence if source == "official" else "MIT, drawn by this project",
            "files": files,
        },
    )


def _fetch(dataset: str, root: Path, download: bool, checksums: Mapping[str, str]) -> list[dict[str, Any]]:
    from vicious.data.fetch import fetch

    return [file.to_dict() for file in fetch(dataset, root, download=download, checksums=checksums)]


def _draw(dataset: str, root: Path, counts: tuple[int, int, int] | None) -> list[dict[str, Any]]:
    from vicious.data.synthetic import write_synthetic

    if counts is None:
        raise ValueError("a synthetic stand-in needs its numbers of train, validation and test images")
    files = write_synthetic(dataset, root, *counts)
    return [
        {
            "path": file.relative_to(root).as_posix(),
            "size": file.stat().st_size,
            "sha256": digest(file),
            "official": False,
            "how": "drawn: synthetic stand-in",
        }
        for file in files
    ]
