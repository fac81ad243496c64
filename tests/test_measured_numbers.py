"""The numbers of README and docs are those of the published results."""

import re
from pathlib import Path

import measured_numbers
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/results.md"
PILOT = "paper_figures/pilot"
SOURCES = {
    "What the pilot measures": ("main_table",),
    "What holds": ("main_table", "attack_models_table", "membership_table"),
    "More outputs give away more, of the same images": ("merged_classes_table", "main_table"),
    "More weight on reconstruction gives away more, and costs accuracy": ("tradeoff_table",),
    "An attacker with more, or with less": ("attackers_table", "main_table"),
    "What changed against the first pilot, and why": ("main_table",),
    "Which risk to trust": ("main_table", "estimators_table"),
    "Who is at risk": ("class_risk_table",),
    "Telling vicious from honest": (),
    "From the first, smaller pilot": ("../first_pilot/table4",),
    "Provenance": (),
}
"""Sections of the page, and the tables that their numbers are from."""
NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*\.\d+(?![\w.]*\w)")


@pytest.mark.parametrize("name", measured_numbers.PAGES)
def test_tables_of_a_page_are_those_of_the_results(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert measured_numbers.BLOCK.search(page), f"{name} has no block of numbers"
    assert measured_numbers.renewed(page) == page, "make numbers writes the tables anew"


def sections() -> dict[str, str]:
    """The prose of each section of the page; a number that is given elsewhere is marked there, and left out."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    page = measured_numbers.BLOCK.sub("", page)
    for given in re.findall(r"<!-- given: (\S+) -->", page):
        page = page.replace(f"<!-- given: {given} -->", "").replace(given, "", 1)
    page = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", page, flags=re.S)
    return {part.partition("\n")[0].strip("# "): part for part in re.split(r"^#+ ", page, flags=re.M) if part}


def values(section: str) -> list[float]:
    """Every number of a section's tables."""
    found: list[float] = []
    for name in SOURCES[section]:
        frame = pd.read_csv(ROOT / PILOT / f"{name}.csv", keep_default_na=False, na_values=[""])
        measured = [column for column in frame if not str(column).endswith(("_p", "_holm", "_n", "parameter", "share"))]
        found += frame[measured].select_dtypes("number").to_numpy().ravel().tolist()
    return found


@pytest.mark.parametrize("section", SOURCES)
def test_every_number_of_a_section_is_of_its_tables(section: str) -> None:
    known = values(section)
    assert [text for text in NUMBER.findall(sections()[section]) if not measured(text, known)] == []


def test_every_section_with_numbers_names_its_tables() -> None:
    assert set(SOURCES) == set(sections())


def test_most_changed_numbers_are_found() -> None:
    """A number whose last digit is another one; some of these are numbers of a table by chance."""
    tried, missed = 0, 0
    for section, prose in sections().items():
        known = values(section)
        for text in NUMBER.findall(prose) if known else ():
            for step in (1, 3, 7):
                last = str((int(text[-1]) + step) % 10)
                tried, missed = tried + 1, missed + measured(text[:-1] + last, known)
    assert tried > 60
    assert missed < 0.45 * tried


def measured(text: str, known: list[float]) -> bool:
    """Whether a number, with its sign if it has one, is one of some others, to its decimals."""
    decimals, value = len(text.partition(".")[2]), float(text.replace(",", ""))
    signed = text[0] in "+-"
    return any(round(one if signed else abs(one), decimals) == value for one in known)


def test_a_number_that_lacks_seeds_says_so(tmp_path: Path) -> None:
    folder = tmp_path / measured_numbers.TABLES
    folder.mkdir(parents=True)
    frame = pd.read_csv(ROOT / measured_numbers.TABLES / "main_table.csv", keep_default_na=False, na_values=[""])
    best = (frame["attack"] == "best") & (frame["role"] == "vicious")
    for column in ("psnr_n", "psnr_difference_n"):
        frame.loc[best, column] = frame.loc[best, "seeds"] - 2
    frame.loc[best, ["top1_mean", "top1_difference"]] = float("nan")
    frame.to_csv(folder / "main_table.csv", index=False)
    lines = [line for line in measured_numbers.models(tmp_path) if "vicious" in line]
    assert all(len(re.findall(r"\(2/[35] failed\)", line)) == 1 and line.count("failed") == 2 for line in lines)
    more = measured_numbers.differences(tmp_path)[2:]
    assert all(len(re.findall(r"\(2/[35] failed\)", line)) == 1 and line.count("failed") == 2 for line in more)


def test_a_changed_number_is_found() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    block = measured_numbers.BLOCK.search(page)
    assert block is not None
    changed = page.replace(block[0], re.sub(r"\d", "7", block[0], count=0))
    assert measured_numbers.renewed(changed) == page
