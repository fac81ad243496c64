"""Whom to cite, as CITATION.cff says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vicious.system.errors import CrateError
from vicious.system.yaml12 import read_yaml

CITATION = Path("CITATION.cff")
_REGISTRIES = {"doi": "https://doi.org/", "arXiv": "https://arxiv.org/abs/"}


@dataclass(frozen=True)
class Author:
    """A person, or several who go by one name.

    Attributes:
        name: in full.
        person: whether it is one person.
        orcid: address, or "".
    """

    name: str
    person: bool
    orcid: str


@dataclass(frozen=True)
class Work:
    """The software, or an article that it rebuilds.

    Attributes:
        title, authors, licence: the latter "" where none is said.
        year: None where none is said.
        address: where it can be read, or "".
    """

    title: str
    authors: Sequence[Author]
    licence: str
    year: int | None
    address: str


@dataclass(frozen=True)
class Citation:
    """The software, and the articles that it refers to."""

    software: Work
    references: Sequence[Work]


def read_citation(file: Path = CITATION) -> Citation:
    """The citation of the project in this folder.

    Raises:
        ConfigError: the file is missing, or is not YAML.
        CrateError: it lacks a title, authors or a licence.
    """
    raw = read_yaml(file)
    found = Citation(_work(raw), [_work(one) for one in raw.get("references", [])])
    if not (found.software.title and found.software.authors and found.software.licence):
        raise CrateError(f"{file} lacks a title, authors or a license: add them")
    return found


def _work(raw: Mapping[str, Any]) -> Work:
    address = next(iter([*_addresses(raw), str(raw.get("url", ""))]))
    authors = [_author(one) for one in raw.get("authors", [])]
    return Work(str(raw.get("title", "")), authors, str(raw.get("license", "")), raw.get("year"), address)


def _author(raw: Mapping[str, Any]) -> Author:
    parts = [str(raw[key]) for key in ("given-names", "family-names") if key in raw]
    return Author(" ".join(parts) or str(raw.get("name", "")), bool(parts), str(raw.get("orcid", "")))


def _addresses(raw: Mapping[str, Any]) -> Iterator[str]:
    if "doi" in raw:
        yield f"{_REGISTRIES['doi']}{raw['doi']}"
    for one in raw.get("identifiers", []):
        registry, colon, number = str(one.get("value", "")).partition(":")
        if one.get("type") == "doi":
            yield f"{_REGISTRIES['doi']}{one['value']}"
        elif colon and registry in _REGISTRIES:
            yield f"{_REGISTRIES[registry]}{number}"
