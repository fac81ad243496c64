"""The documents name what is there, and are easy to read."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from measured_numbers import BLOCK

from vicious.study import grid
from vicious.study.artifacts import known

ROOT = Path(__file__).resolve().parents[1]
_LONGEST = 120
GENERATED = "claims.md"
"""A page that `vicious claims` writes whole."""


PAGES = sorted(
    page
    for folder in ("", "docs/", "docs/reference/", "config/", "results/", "paper_figures/", "models/")
    for page in ROOT.glob(f"{folder}*.md")
)
"""All Markdown that people wrote."""


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_table_figure_and_experiment_is_documented() -> None:
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    for artifact in known().values():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{artifact.alias}` | `{artifact.name}` |")]
        assert line.endswith(f"| `{artifact.experiment}` |"), artifact.name
    for experiment in grid.EXPERIMENTS:
        assert f"| `{experiment}` |" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_lines_are_short(page: Any) -> None:
    text = page.read_text(encoding="utf-8")
    written = "" if page.name == GENERATED else BLOCK.sub("", text)
    assert [line for line in written.splitlines() if len(line) > _LONGEST] == []
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


def test_parameters_and_make_targets_have_short_lines() -> None:
    for name in ("params.yaml", "Makefile"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if len(line) > _LONGEST] == [], name


def test_the_glossary_defines_a_term_once() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"\*\*(.+?)\*\*", text)
    assert len(terms) > 50
    assert len(terms) == len(set(map(str.lower, terms)))


def test_git_keeps_small_results_of_pilot_and_paper_and_no_others() -> None:
    kept = ["models/pilot/mnist/honest/seed0/target.safetensors"]
    kept += [f"{place}/{scale}/{rest}" for scale in ("pilot", "paper") for place, rest in _SMALL]
    others = [f"{place}/{scale}/{rest}" for scale in ("smoke", "demo") for place, rest in _SMALL]
    others += [
        "results/pilot/models/a",
        "results/pilot/assessments/a",
        "results/a",
        "paper_figures/a",
        "data/a",
        "logs/a",
        "models/pilot/mnist/honest/.seed0.01234567.part/card.md",
    ]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "--", *kept, *others],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert set(ignored.splitlines()) == set(others)


_SMALL = (("results", "summaries/main.csv"), ("results", "complete/main.txt"), ("paper_figures", "table.md"))
