"""Charts of an audit's page: numbers on lines of one scale, as SVG that grows with the page while its text does not.

Positions across are in percent and those down in pixels. Shape and place tell the marks apart, colour only helps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vicious.auditing.markup import element, percent

_ROW, _WORDLESS = 46, 24
"""Pixels of a row: words above a line, or the line alone."""
_BELOW = 14
"""Pixels from a line to the end of its row."""
_AXIS = 24
_FIRST, _LAST = 2.0, 98.0
"""Percent of the width where the scale begins and ends, so that marks and ticks are not cut."""
MOST_OTHERS = 200
"""References that are drawn; of more, as many of their quantiles."""


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        label: what it is of; "": the text around it says so.
        said: its number, in words; "" likewise.
        value: where the mark lies.
        ends: of its interval; None: it has none.
        others: values to compare it with.
        own: whether it is of the model that is audited.
    """

    label: str
    said: str
    value: float
    ends: tuple[float, float] | None = None
    others: tuple[float, ...] = ()
    own: bool = True

    @property
    def values(self) -> tuple[float, ...]:
        """All that is drawn."""
        return (self.value, *(self.ends or ()), *self.others)


def chart(
    name: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    least: float,
    most: float,
    ticks: Sequence[float] = (),
    said: Callable[[float], str] = percent,
) -> Markup:
    """Draw rows below each other.

    Args:
        name: of the chart on its page, for those who cannot see it.
        description: all of it in words.
        least, most: ends of the scale; it grows until all values fit.
        ticks: values that get a line and their number.
        said: their number in words.
    """
    low = min([least, *(one for row in rows for one in row.values)])
    high = max([most, *(one for row in rows for one in row.values)])

    def across(value: float) -> str:
        place = (value - low) / (high - low) if high > low else 0.5
        return f"{_FIRST + (_LAST - _FIRST) * place:.2f}%"

    height = _ROW if any(row.label or row.said for row in rows) else _WORDLESS
    bottom = height * len(rows)
    parts = []
    for tick in ticks:
        place = across(tick)
        parts.append(element("line", x1=place, x2=place, y1=0, y2=bottom, class_="grid"))
        anchor = {low: "start", high: "end"}.get(tick, "middle")
        parts.append(
            element("text", said(tick), x=place, y=bottom + 16, text_anchor=anchor, class_="tick", aria_hidden="true")
        )
    for index, row in enumerate(rows):
        parts += _row(row, (index + 1) * height - _BELOW, across)
    title_id, text_id = f"{name}-title", f"{name}-text"
    return element(
        "svg",
        *(element("title", title, id=title_id), element("desc", description, id=text_id), *parts),
        class_="chart",
        role="img",
        aria_labelledby=f"{title_id} {text_id}",
        width="100%",
        height=bottom + (_AXIS if ticks else 0),
    )


def _row(row: Row, middle: int, across: Callable[[float], str]) -> list[Markup]:
    kind = "own" if row.own else "other"
    parts = [element("line", x1=f"{_FIRST}%", x2=f"{_LAST}%", y1=middle, y2=middle, class_="rail")]
    if row.label:
        parts.append(element("text", row.label, x=0, y=middle - 17, class_="label"))
    if row.said:
        parts.append(element("text", row.said, x="100%", y=middle - 17, text_anchor="end", class_="said"))
    if row.ends is not None:
        low, high = map(across, row.ends)
        parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_=f"{kind} span"))
        parts += [
            element("line", x1=one, x2=one, y1=middle - 5, y2=middle + 5, class_=f"{kind} end") for one in (low, high)
        ]
    parts += [element("circle", cx=across(one), cy=middle, r=4, class_="reference") for one in _some(row.others)]
    mark = element("path", d="M0 -7 L7 0 L0 7 L-7 0 Z") if row.own else element("circle", r=6)
    parts.append(element("svg", mark, x=across(row.value), y=middle, class_=f"{kind} mark"))
    return parts


def _some(values: tuple[float, ...]) -> list[float]:
    ordered = sorted(values)
    if len(ordered) <= MOST_OTHERS:
        return ordered
    return [ordered[at * (len(ordered) - 1) // (MOST_OTHERS - 1)] for at in range(MOST_OTHERS)]


def bar(share: float) -> Markup:
    """A share of 0 to 1 as a bar; the number stands beside it."""
    length = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    filled = element("rect", width=length, height=12, class_="filled")
    rail = element("rect", width="100%", height=12)
    return element("svg", rail, filled, class_="bar", width="100%", height=12, aria_hidden="true")
