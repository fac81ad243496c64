"""The renderer of tables: every kind of value, pages of a long table, and escapes."""

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vicious.report import render
from vicious.report.frames import STAND_IN, OverSeeds
from vicious.report.render import Column, Difference, Table
from vicious.report.text import Text
from vicious.study.artifacts import Destination

OUT = Destination(Path("unused"), "made_up_table", "Made up table")
COLUMNS = (Column("name", "Name", text=True), Column("x", "x", decimals=2))


def _render(values: Any, caption: str = "Caption.") -> tuple[str, str]:
    rows = [{"name": f"row {index}", "x": value} for index, value in enumerate(values)]
    return render.render(OUT, Table(pd.DataFrame({"x": [1.23456789012]}), COLUMNS, rows, Text(caption)))[1:]


@pytest.mark.parametrize(
    ("value", "markdown", "latex"),
    [
        (None, "–", "--"),
        (math.nan, "–", "--"),
        ("a|b_c", r"a\|b_c", r"a\textbar{}b\_c"),
        (12345, "12,345", "12,345"),
        (1.239, "1.24", "$1.24$"),
        (math.inf, "∞", r"$\infty$"),
        (-math.inf, "-∞", r"$-\infty$"),
        (-1e-9, "0.00", "$0.00$"),
        (OverSeeds(-0.004, 0.07, 2, 2), "0.00 ± 0.07", r"$0.00 \pm 0.07$"),
        (OverSeeds(1.0, 0.5, 3, 3), "1.00 ± 0.50", r"$1.00 \pm 0.50$"),
        (OverSeeds(1.0, math.nan, 1, 1), "1.00", "$1.00$"),
        (OverSeeds(1.0, 0.5, 2, 3), "1.00 ± 0.50 (1/3 failed)", r"\shortstack{$1.00 \pm 0.50$\\(1/3 failed)}"),
        (OverSeeds(math.nan, math.nan, 0, 2), "failed (2 of 2 seeds)", r"\shortstack{failed\\(2 of 2 seeds)}"),
        (OverSeeds(math.nan, math.nan, 0, 0), "not run", "not run"),
        (Difference(-0.5, -0.75, -0.25, 0.01, 5, 5), r"-0.50 [-0.75, -0.25] \*", "$-0.50$ $[-0.75, -0.25]$$^*$"),
        (Difference(-0.5, -0.75, -0.25, 0.01, 4, 4), "-0.50 [-0.75, -0.25]", "$-0.50$ $[-0.75, -0.25]$"),
        (Difference(0.5, -0.25, 1.25, 0.05, 3, 3), "+0.50 [-0.25, 1.25]", "$+0.50$ $[-0.25, 1.25]$"),
        (
            Difference(0.5, 0.25, 1.25, 0.01, 5, 6),
            r"+0.50 [0.25, 1.25] \* (1/6 failed)",
            r"\shortstack{$+0.50$ $[0.25, 1.25]$$^*$\\(1/6 failed)}",
        ),
        (
            Difference(0.5, math.nan, math.nan, math.nan, 1, 2),
            "+0.50 (1 seed; 1/2 failed)",
            r"\shortstack{$+0.50$\\(1 seed; 1/2 failed)}",
        ),
        (Difference(0.5, math.nan, math.nan, math.nan, 1, 1), "+0.50", "$+0.50$"),
        (Difference(-0.001, -0.004, 0.004, 0.5, 2, 2), "0.00 [0.00, 0.00]", "$0.00$ $[0.00, 0.00]$"),
        (Difference(0.001, -0.004, 0.1, 0.5, 2, 2), "0.00 [0.00, 0.10]", "$0.00$ $[0.00, 0.10]$"),
        (Difference(math.nan, math.nan, math.nan, math.nan, 2, 2), "–", "--"),
        (f"CIFAR-10{STAND_IN}", "CIFAR-10 (synthetic stand-in)", r"CIFAR-10$^{\dagger}$"),
    ],
)
def test_a_value_in_both_formats(value: Any, markdown: str, latex: str) -> None:
    one, two = _render([value])
    assert f"| row 0 | {markdown} |" in one
    assert f"row 0 & {latex} \\\\" in two
    assert (r"$^{\dagger}$~Synthetic stand-in." in two) == (isinstance(value, str) and STAND_IN in value)


def test_the_csv_is_the_frame() -> None:
    table = Table(pd.DataFrame({"x": [1.5, math.nan], "n": [3, 4]}), COLUMNS, [], Text(""))
    assert render.render(OUT, table)[0] == "x,n\n1.5,3\n,4\n"


def test_a_long_table_is_continued_on_pages_that_keep_blocks_whole() -> None:
    rows: list[dict[str, Any]] = [
        {"name": f"block {index // 7}" if index % 7 == 0 else "", "x": index} for index in range(70)
    ]
    text = Text("Caption.", ["a note"], ["a reason"])
    latex = render.render(OUT, Table(pd.DataFrame({"x": [1]}), COLUMNS, rows, text))[2]
    pages = latex.split(r"\end{table*}")[:-1]
    assert len(pages) == 2
    assert r"\caption{Caption.}" in pages[0]
    assert r"\label{tab:made_up_table}" in pages[0]
    assert r"\addtocounter{table}{-1}" in pages[1]
    assert r"\caption{(continued)}" in pages[1]
    for words in ("a note", "Without a result: a reason."):
        assert [words in page for page in pages] == [False, True]
    printed = [re.findall(r"(?m)^(block \d|) & (\d+) ", page) for page in pages]
    assert [int(x) for page in printed for _, x in page] == list(range(70))
    assert all(page[0][0] for page in printed)
    assert all(len(page) <= 40 for page in printed)
    assert pages[0].count(r"\addlinespace") == len(printed[0]) // 7 - 1


def test_wide_lines_get_smaller_print() -> None:
    assert r"\footnotesize" in _render(["short"])[1]
    assert r"\scriptsize" in _render(["long " * 27])[1]
    assert r"\fontsize{6}" in _render(["long " * 30])[1]


def test_a_heading_is_as_wide_as_what_latex_prints_of_it() -> None:
    columns = (Column("x", "x", r"\shortstack{Acc. (\%)\\vicious}"),)
    plain = (Column("x", "Acc. (%)"),)
    assert render._signs(columns, [{"x": 1}]) == render._signs(plain, [{"x": 1}])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a & b", r"a \& b"),
        ("a_b", r"a\_b"),
        ("5%", r"5\%"),
        ("{x}", r"\{x\}"),
        ("\\", r"\textbackslash{}"),
        ("one\ntwo", "one two"),
        ("“a” … — ∞ −1", r"``a'' ... --- $\infty$ $-$1"),
        ("é ☃", "[U+00E9] [U+2603]"),
    ],
)
def test_latex_signs_are_escaped(text: str, escaped: str) -> None:
    assert render.escape_latex(text) == escaped
