"""Showing a table or a figure's caption in the terminal."""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from vicious.study.artifacts import Artifact, by_any_name
from vicious.study.paths import figures
from vicious.system.errors import ConfigError, DataError
from vicious.system.escape import escaped
from vicious.system.registry import nearest

_CELLS = re.compile(r"(?<=\|)((?:\\.|[^|\\])*)(?=\|)")
"""The cells of a row of a Markdown table, where | is escaped."""


def shown(name: str, scale: str) -> str:
    """The Markdown of a table or figure that is built: its caption, then its rows, or where its picture is.

    Args:
        name: of the table or figure, such as ``main_table``, or its number, such as ``table1``.
        scale: of the study.

    Raises:
        ConfigError: there is none of this name.
        DataError: it is not built.
    """
    names = by_any_name()
    if name not in names:
        raise ConfigError(f"there is no table or figure {name!r}{nearest(name, names)}")
    artifact = names[name]
    found = pages(artifact, scale)
    if not found:
        raise DataError(
            f"{artifact.label} is not built: `snakemake --cores all --config scale={scale} -- {name}` builds it"
        )
    pictures = ((page, page.with_suffix(".png")) for page in found)
    return "\n\n".join(
        f"{read_page(page)}\n\n{picture}" if picture.is_file() else read_page(page) for page, picture in pictures
    )


def pages(artifact: Artifact, scale: str) -> list[Path]:
    """The Markdown files of a table or figure that are there: one for each of its parts."""
    folder = figures(scale)
    found = sorted(folder.glob(f"{artifact.name}_*.md")) if artifact.each_task else [folder / f"{artifact.name}.md"]
    return [page for page in found if page.is_file()]


def read_page(page: Path) -> str:
    """A Markdown file of a table or figure; raises DataError where it cannot be read."""
    try:
        return page.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise DataError(f"{page} cannot be read ({reason}): delete it, then run `snakemake` again") from None


def print_pages(text: str) -> None:
    """Print Markdown to the terminal, its tables laid out to the width. Words that are too long for a column go on in
    the next line: nothing is cut."""
    console = Console(highlight=False)
    for is_table, lines in groupby(text.splitlines(), key=lambda line: line.startswith("|")):
        block = "\n".join(lines)
        console.print(_laid_out(block.splitlines()) if is_table else Markdown(escaped(block, keep="\n")))


def _laid_out(lines: Sequence[str]) -> Table:
    head, rule, *rows = [[escaped(cell.strip()).replace("\\|", "|") for cell in _CELLS.findall(line)] for line in lines]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, dashes in zip(head, rule, strict=True):
        table.add_column(Text(name), justify="right" if dashes.endswith(":") else "left", overflow="fold")
    for cells in rows:
        table.add_row(*(Text(cell.replace("\\", "")) for cell in cells))
    return table
