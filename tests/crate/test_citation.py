"""CITATION.cff as a crate reads it."""

from pathlib import Path

import pytest

from vicious.crate.citation import Author, read_citation
from vicious.system.errors import CrateError


def test_people_with_an_orcid_and_a_doi_have_their_addresses(tmp_path: Path) -> None:
    file = tmp_path / "CITATION.cff"
    file.write_text(
        "title: A study\nlicense: MIT\ndoi: 10.1/2\n"
        "authors: [{given-names: Ada, family-names: Example, orcid: 'https://orcid.org/0000-0001'}]\n"
        "references: [{title: An article, identifiers: [{type: doi, value: 10.3/4}]}]\n",
        encoding="utf-8",
    )
    found = read_citation(file)
    assert found.software.authors == [Author("Ada Example", True, "https://orcid.org/0000-0001")]
    assert found.software.address == "https://doi.org/10.1/2"
    assert [one.address for one in found.references] == ["https://doi.org/10.3/4"]


@pytest.mark.parametrize("left", ["title: A study\n", "title: A study\nlicense: MIT\n"])
def test_a_citation_without_authors_or_licence_is_refused(tmp_path: Path, left: str) -> None:
    (tmp_path / "CITATION.cff").write_text(left, encoding="utf-8")
    with pytest.raises(CrateError, match="authors or a license"):
        read_citation(tmp_path / "CITATION.cff")
