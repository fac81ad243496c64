"""Captions and tables, from the Markdown that the study writes to HTML."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

WITHOUT = ("failed", "not run")
"""What the cells of results that are missing begin with."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def html(text: str) -> Markup:
    """Markdown as HTML, in which whatever looks like HTML is text.

    A cell of a table that repeats the one above it, which Markdown leaves empty, gets its text, so that rows can be
    sorted; its class is ``again``. Missing results have the class ``failed``. Tables scroll in a box of their own.
    """
    tokens = _MARKDOWN.parse(text)
    _mark(tokens)
    return Markup(_MARKDOWN.renderer.render(list(_boxed(tokens)), _MARKDOWN.options, {}))


def plain(text: str) -> str:
    """Markdown of a line as plain text."""
    return "".join(token.content for one in _MARKDOWN.parseInline(text) for token in one.children or ())


def _mark(tokens: Sequence[Token]) -> None:
    above: list[str] = []
    row: list[str] = []
    same = True
    for token, content in pairwise(tokens):
        if token.type == "tbody_open":
            above = []
        elif token.type == "tr_open":
            row, same = [], True
        elif token.type == "tr_close":
            above = row
        elif token.type == "th_open":
            _as_class(token)
        elif token.type == "td_open":
            text, is_text = content.content, not _as_class(token)
            over = above[len(row)] if len(row) < len(above) else ""
            if is_text and same and not text and over:
                text = over
                content.children = _MARKDOWN.parseInline(text)[0].children
                token.attrJoin("class", "again")
            elif is_text and text != over:
                same = False
            if text.startswith(WITHOUT):
                token.attrJoin("class", "failed")
            row.append(text)


def _as_class(cell: Token) -> bool:
    """Whether a cell is set flush right, which its class says from now on: the page allows no style of an element."""
    right = "right" in str(cell.attrs.pop("style", ""))
    if right:
        cell.attrSet("class", "number")
    return right


def _boxed(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "table_open":
            yield Token("html_block", "", 0, content='<div class="wide" tabindex="0" role="group" aria-label="Table">')
        yield token
        if token.type == "table_close":
            yield Token("html_block", "", 0, content="</div>\n")
