"""codemeta.json says what CITATION.cff, pyproject.toml and the package say."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from vicious import __version__
from vicious.system.files import read_json

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def codemeta() -> dict[str, Any]:
    found: dict[str, Any] = read_json(ROOT / "codemeta.json")
    return found


@pytest.fixture
def citation() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def test_it_is_codemeta_3(codemeta: dict[str, Any]) -> None:
    assert (codemeta["@context"], codemeta["@type"]) == ("https://w3id.org/codemeta/3.0", "SoftwareSourceCode")


def test_version_and_licence_are_the_same_everywhere(
    codemeta: dict[str, Any], citation: dict[str, Any], project: dict[str, Any]
) -> None:
    assert codemeta["version"] == citation["version"] == __version__
    assert codemeta["license"] == f"https://spdx.org/licenses/{citation['license']}"
    assert citation["license"] == project["license"]


def test_title_authors_and_article_are_those_of_the_citation(
    codemeta: dict[str, Any], citation: dict[str, Any]
) -> None:
    assert codemeta["name"] == citation["title"]
    assert [one["name"] for one in codemeta["author"]] == [one["name"] for one in citation["authors"]]
    (article,), (cited,) = codemeta["referencePublication"], citation["references"]
    names = [{"given-names": one["givenName"], "family-names": one["familyName"]} for one in article["author"]]
    assert (article["name"], article["datePublished"], names) == (cited["title"], str(cited["year"]), cited["authors"])
    assert article["@id"].rpartition("/")[2] == cited["identifiers"][0]["value"].removeprefix("arXiv:")


def test_what_it_needs_is_what_the_package_declares(codemeta: dict[str, Any], project: dict[str, Any]) -> None:
    assert (codemeta["identifier"], codemeta["description"]) == (project["name"], project["description"])
    needs = [one["name"] + one["version"] for one in codemeta["softwareRequirements"]]
    assert needs == project["dependencies"]
    assert codemeta["programmingLanguage"][0]["version"] == project["requires-python"]


def test_the_files_that_it_names_are_there(codemeta: dict[str, Any]) -> None:
    assert all((ROOT / codemeta[key]).is_file() for key in ("readme", "buildInstructions"))
    assert not re.search(r"localhost|file:", str(codemeta))
