"""The one renderer of tables: CSV for machines, Markdown and LaTeX (booktabs) for readers.

A table has a frame, written as CSV whole and unrounded, and lines to print. A printed value is text, a number, a
:class:`~vicious.report.frames.OverSeeds` (mean ± standard deviation over seeds, with its failures marked), a
:class:`Difference` (marked alike), or None where it does not apply. In LaTeX, a title's ``(synthetic stand-in)``
becomes a dagger that the caption explains, and a table that is too long for a page is continued in further floats.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.report.frames import STAND_IN, OverSeeds
from vicious.report.text import Text, escape_markdown, markdown
from vicious.study.artifacts import Destination
from vicious.system.files import write_text

FEWEST_SEEDS = 5
"""No difference over fewer seeds has a star."""
SIGNIFICANT = 0.05
"""Differences with a p below this carry an asterisk."""
_PAGE = 40
"""Lines of a LaTeX float, before it is continued on another page."""
_WIDE, _WIDEST = 134, 153
"""Signs of a line, gaps included, beyond which a page of seven inches needs smaller, and the smallest, print."""
_COUNTS = ("k", "n", "n_images", "seeds", "rank", "classes", "label", "pixels", "positives", "last_batch")
"""Columns of counts, beside those with an ending."""


@dataclass(frozen=True)
class Difference:
    """A mean difference, its 95% interval and two-sided p, adjusted for the other differences of its table, NaN where
    there is none, over ``ok`` of ``total`` seeds."""

    value: float
    low: float
    high: float
    p: float
    ok: int
    total: int


Value = str | int | float | OverSeeds | Difference | None
Line = dict[str, Value]
"""A printed line: values by the keys of columns."""


@dataclass(frozen=True)
class Column:
    """One printed column: the key of its values in lines, and its heading; None: the plain one, escaped for LaTeX.

    ``text`` is set flush left, numbers, with so many ``decimals``, flush right.
    """

    key: str
    head: str
    latex: str | None = None
    decimals: int = 3
    text: bool = False


@dataclass(frozen=True)
class Table:
    """What a table consists of: the frame that the CSV holds, what is printed, and the words around it.

    A row whose first value is "" belongs to the block above it.
    """

    frame: pd.DataFrame
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Value]]
    text: Text


MEASURED = (
    Column("accuracy", "Accuracy (%)", decimals=2),
    Column("psnr", "PSNR (dB)", decimals=2),
    Column("ssim", "SSIM"),
    Column("risk", "R", "$R$"),
    Column("risk95", "R95"),
    Column("top1", "Identified (%)", r"\shortstack{Identified\\(\%)}", decimals=2),
)
"""Columns of measures."""


def outputs_column(outputs: Iterable[str]) -> list[Column]:
    """The column that names outputs, where there are several kinds."""
    return [Column("outputs", "Outputs", text=True)] if len(set(outputs)) > 1 else []


def once(lines: Iterable[Line], *levels: Sequence[str]) -> list[Line]:
    """Lines without what repeats those above: a level's values go where they and those of levels before are alike."""
    shown: list[Line] = []
    above: Line = {}
    for line in lines:
        kept = dict(line)
        for level in levels:
            if any(line[key] != above.get(key) for key in level):
                break
            kept |= dict.fromkeys(level, "")
        shown.append(kept)
        above = line
    return shown


def write(out: Destination, table: Table) -> tuple[Path, ...]:
    """Write a table's .csv, .md and .tex, and return their paths."""
    files = [out.file(suffix) for suffix in (".csv", ".md", ".tex")]
    for file, text in zip(files, render(out, table), strict=True):
        write_text(file, text)
    return tuple(files)


def numbers(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """Rows as a table's frame: counts are whole numbers, some possibly missing; what is missing everywhere is NaN."""
    frame = pd.DataFrame(list(rows), columns=list(columns))
    counts = [name for name in frame.columns if name in _COUNTS or name.endswith(("_n", "_seeds", "_failed"))]
    nothing = frame.columns[frame.isna().all()]
    return frame.astype(dict.fromkeys(nothing, "float64") | dict.fromkeys(counts, "Int64"))


def spread_names(names: Iterable[str]) -> tuple[str, ...]:
    """The columns of measures: ``_mean``, ``_sd`` (ddof 1, over seeds) and ``_n`` (seeds that succeeded) of each."""
    return tuple(f"{name}_{end}" for name in names for end in ("mean", "sd", "n"))


def spread_columns(cells: Mapping[str, OverSeeds | None]) -> dict[str, float | None]:
    """Measures as the columns of :func:`spread_names`; None where one does not apply."""
    values = [value for cell in cells.values() for value in ((cell.mean, cell.sd, cell.ok) if cell else (None,) * 3)]
    return dict(zip(spread_names(cells), values, strict=True))


def cell_of(row: Mapping[Any, Any], name: str) -> OverSeeds:
    """A measure of a row that has the columns of :func:`spread_names`, and the seeds planned as ``seeds``."""
    return OverSeeds(float(row[f"{name}_mean"]), float(row[f"{name}_sd"]), int(row[f"{name}_n"]), int(row["seeds"]))


def reasons(table: pd.DataFrame) -> list[str]:
    """Why seeds have no result, a line for each; ``failures`` of each row joins them by semicolons."""
    return list(dict.fromkeys(filter(None, "; ".join(table["failures"].dropna()).split("; "))))


def render(out: Destination, table: Table) -> tuple[str, str, str]:
    csv = table.frame.to_csv(index=False, lineterminator="\n", float_format="%.8g")
    return csv, _markdown(out, table), _latex(out, table)


def escape_latex(text: str) -> str:
    """``text`` with every sign that LaTeX would act on made literal; an unknown one beyond ASCII as [U+00E9]."""
    return "".join(
        _LATEX_SIGNS.get(sign, sign if sign.isascii() else f"[U+{ord(sign):04X}]") for sign in " ".join(text.split())
    )


def _markdown(out: Destination, table: Table) -> str:
    lines = [[escape_markdown(column.head) for column in table.columns]]
    lines.append(["---" if column.text else "---:" for column in table.columns])
    lines += [[_cell(row.get(column.key), column, _MARKDOWN) for column in table.columns] for row in table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    below = table.text.below()
    return f"**{markdown(out.label)}.** {markdown(table.text.caption)}\n\n{body}\n" + (f"\n{below}" if below else "")


def _latex(out: Destination, table: Table) -> str:
    columns, rows, text = table.columns, table.rows, table.text
    floats = _pages(columns, rows)
    dagger = rf" {_DAGGER}~Synthetic stand-in." if any(_DAGGER in line for page in floats for line in page) else ""
    notes = [*filter(None, text.notes), *(f"Without a result: {note}." for note in text.failed)]
    below = [r"\par\smallskip\raggedright", " \\\\\n".join(map(_latex_text, notes))] if notes else []
    lines = ["% Needs \\usepackage{booktabs}."]
    for index, page in enumerate(floats):
        lines += [
            r"\begin{table*}[t]",
            r"\centering",
            *([r"\addtocounter{table}{-1}", r"\caption{(continued)}"] if index else []),
            *([] if index else [rf"\caption{{{_latex_text(text.caption)}{dagger}}}", rf"\label{{tab:{out.name}}}"]),
            _size(_signs(columns, rows)),
            r"\setlength{\tabcolsep}{2.5pt}",
            rf"\begin{{tabular}}{{{''.join('l' if column.text else 'r' for column in columns)}}}",
            r"\toprule",
            _latex_row(column.latex or _latex_text(column.head) for column in columns),
            r"\midrule",
            *page,
            r"\bottomrule",
            r"\end{tabular}",
            *(below if page is floats[-1] else []),
            r"\end{table*}",
        ]
    return "\n".join([*lines, ""])


def _pages(columns: Sequence[Column], rows: Sequence[Mapping[str, Value]]) -> list[list[str]]:
    """The lines on as many pages as they need: in blocks, each begun by one whose first value is not "", apart by a
    little space. A block stays on a page unless it is longer than one."""
    blocks: list[list[str]] = []
    for row in rows:
        if not blocks or row.get(columns[0].key) or len(blocks[-1]) == _PAGE:
            blocks.append([])
        blocks[-1].append(_latex_row(_cell(row.get(column.key), column, _LATEX) for column in columns))
    pages: list[list[str]] = []
    for lines in blocks:
        if pages and len(pages[-1]) + len(lines) <= _PAGE:
            pages[-1] += [r"\addlinespace", *lines]
        else:
            pages.append(lines)
    return pages or [[]]


def _signs(columns: Sequence[Column], rows: Sequence[Mapping[str, Value]]) -> int:
    """Signs of the longest line that the widest values of all columns could make."""
    heads = [column.latex or _latex_text(column.head) for column in columns]
    cells = [[_cell(row.get(column.key), column, _LATEX) for row in rows] for column in columns]
    widest = [max(map(_printed_signs, [head, *values])) for head, values in zip(heads, cells, strict=True)]
    return sum(widest) + len(columns)


def _printed_signs(latex: str) -> int:
    """Signs of the longest line of a cell as LaTeX prints it."""
    lines = latex.replace(r"\pm", "±").split(r"\\")
    return max(len(re.sub(r"\\[a-z]+|[\\{}$_^]", "", line)) for line in lines)


def _size(signs: int) -> str:
    """The print in which a line of so many signs fits a page of seven inches."""
    if signs > _WIDEST:
        return r"\fontsize{6}{7.2}\selectfont"
    return r"\scriptsize" if signs > _WIDE else r"\footnotesize"


@dataclass(frozen=True)
class _Format:
    """How one kind of file writes text, ±, a difference, two lines in a cell, infinity, and what does not apply."""

    text: Callable[[str], str]
    number: Callable[[str, str], str]
    difference: Callable[[str, str, str], str]
    two_lines: Callable[[str, str], str]
    infinity: str
    none: str


def _cell(value: Value, column: Column, form: _Format) -> str:
    if value is None:
        return form.none
    if isinstance(value, str):
        return form.text(value)
    if isinstance(value, OverSeeds):
        return _measured(value, column.decimals, form)
    if isinstance(value, Difference):
        return _differing(value, column.decimals, form)
    if isinstance(value, int):
        return f"{value:,}"
    return form.none if math.isnan(value) else form.number(_number(value, column.decimals, form), "")


def _measured(cell: OverSeeds, decimals: int, form: _Format) -> str:
    if not cell.ok:
        return form.two_lines("failed", f"({cell.total} of {cell.total} seeds)") if cell.total else "not run"
    spread = "" if math.isnan(cell.sd) else _number(cell.sd, decimals, form)
    return _marked(form.number(_number(cell.mean, decimals, form), spread), cell.ok, cell.total, form)


def _differing(difference: Difference, decimals: int, form: _Format) -> str:
    if math.isnan(difference.value):
        return form.none
    value, low, high = (_number(end, decimals, form) for end in (difference.value, difference.low, difference.high))
    sign = "+" if round(difference.value, decimals) > 0 else ""
    interval = "" if math.isnan(difference.low) or math.isnan(difference.high) else f"[{low}, {high}]"
    star = difference.p < SIGNIFICANT and difference.ok >= FEWEST_SEEDS
    text = form.difference(f"{sign}{value}", interval, "*" if star else "")
    return _marked(text, difference.ok, difference.total, form)


def _marked(text: str, ok: int, total: int, form: _Format) -> str:
    """``text``, and below it how many of the seeds planned are missing from it."""
    if ok == total:
        return text
    return form.two_lines(text, f"({'1 seed; ' if ok == 1 else ''}{total - ok}/{total} failed)")


def _number(value: float, decimals: int, form: _Format) -> str:
    if math.isinf(value):
        return form.infinity if value > 0 else f"-{form.infinity}"
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_text(text: str) -> str:
    literal = escape_latex(text)
    return literal.replace(r"beta\_R", r"$\beta_R$").replace(r"beta\_C", r"$\beta_C$").replace("R95", "$R_{95}$")


_TEXT_SIGNS = {
    **{"\\": "textbackslash", "~": "textasciitilde", "^": "textasciicircum"},
    **{"<": "textless", ">": "textgreater", "|": "textbar"},
}
_MATH_SIGNS = {"±": "pm", "β": "beta", "≥": "ge", "≤": "le", "×": "times", "∞": "infty", "µ": "mu", "μ": "mu"}
_LATEX_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{sign: rf"\{name}{{}}" for sign, name in _TEXT_SIGNS.items()},
    **{sign: rf"$\{name}$" for sign, name in _MATH_SIGNS.items()},
    **{"–": "--", "—": "---", "…": "...", "‘": "`", "’": "'", "“": "``", "”": "''", "−": "$-$"},
}

_DAGGER = r"$^{\dagger}$"
_MARKDOWN = _Format(
    escape_markdown,
    lambda mean, sd: f"{mean} ± {sd}" if sd else mean,
    lambda value, interval, star: " ".join(part for part in (value, interval, escape_markdown(star)) if part),
    lambda a, b: f"{a} {b}",
    "∞",
    "–",
)
_LATEX = _Format(
    lambda text: _latex_text(text).replace(STAND_IN, _DAGGER),
    lambda mean, sd: rf"${mean} \pm {sd}$" if sd else f"${mean}$",
    lambda value, interval, star: (
        f"${value}$" + (f" ${interval}$" if interval else "") + (f"$^{star}$" if star else "")
    ),
    lambda a, b: rf"\shortstack{{{a}\\{b}}}",
    r"\infty",
    "--",
)
