"""HTML that is safe by construction: whatever is not markup already is escaped where it enters."""

import base64
import html
import io
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from vicious.system.escape import escaped
from vicious.system.policy import policy

_VOID = {"br", "col", "hr", "img", "input", "link", "meta"}
"""Elements that have no end tag."""


def text(value: object) -> Markup:
    """Any text as HTML: what a reader could not see, or what would reorder it, is written out."""
    return value if isinstance(value, Markup) else Markup(html.escape(escaped(value)))


LINE = Markup("\n")
LONGEST = 120
"""Characters of a name that are shown."""


def short(name: str) -> str:
    """A name of a bounded length: of a longer one the end, which tells files apart."""
    return name if len(name) <= LONGEST else f"...{name[-LONGEST:]}"


def joined(*content: object, by: str = "") -> Markup:
    """Parts one after the other; those that are not markup are escaped."""
    return Markup(by.join(map(text, content)))


def element(tag: str, /, *content: object, **attributes: object) -> Markup:
    """An element.

    Args:
        content: parts; those that are not markup are escaped.
        attributes: ``class_`` is class and ``aria_label`` is aria-label. True: it has no value; None: it is left out.
    """
    shown = []
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is not None:
            shown.append(f" {key}" if value is True else f' {key}="{html.escape(escaped(value))}"')
    start = f"<{tag}{''.join(shown)}>"
    return Markup(start if tag in _VOID else f"{start}{joined(*content)}</{tag}>")


def document(title: str, body: Markup, style: str, script: str) -> str:
    """A whole page that loads nothing: the policy allows this style, this script and embedded images alone.

    Args:
        style, script: of this package, free of ``</``.
    """
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(style)),
        by=LINE,
    )
    whole = element("body", LINE, body, LINE, element("script", Markup(script)), LINE)
    return (
        f"<!doctype html>\n{element('html', LINE, element('head', LINE, head, LINE), LINE, whole, LINE, lang='en')}\n"
    )


def picture(image: NDArray[Any], alt: str) -> Markup:
    """An image as an embedded PNG.

    Args:
        image: (C, H, W), pixels in [0, 1]; of more or fewer channels than three the mean is shown, in grey.
        alt: what it shows, in words.
    """
    from PIL import Image

    pixels = np.moveaxis(image, 0, 2) if len(image) == 3 else image.mean(0)
    file = io.BytesIO()
    Image.fromarray(np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(file, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    height, width = pixels.shape[:2]
    return element("img", src=source, alt=alt, width=width, height=height)


def table(caption: str, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> Markup:
    """A table that scrolls by itself where it is too wide; the first cell of a row is its heading."""
    columns = element("tr", *(element("th", one, scope="col") for one in head))
    lines = (
        element("tr", element("th", first, scope="row"), *(element("td", one) for one in rest)) for first, *rest in rows
    )
    found = element("table", element("caption", caption), element("thead", columns), element("tbody", *lines))
    return element("div", found, class_="wide", role="region", aria_label=caption, tabindex=0)


def paragraph(*content: object, class_: str | None = None) -> Markup:
    """A paragraph."""
    return element("p", *content, class_=class_)


def listed(lines: tuple[object, ...] | list[object]) -> Markup:
    """A list of points."""
    return element("ul", *(element("li", one) for one in lines))


def percent(value: float) -> str:
    """A share in whole percent, never -0%."""
    return "0%" if (found := f"{value:.0%}") == "-0%" else found


def number(value: float) -> str:
    """A number with two decimals, never -0.00."""
    return "0.00" if (found := f"{value:.2f}") == "-0.00" else found


def points(value: float) -> str:
    """A difference of shares in whole percentage points, never -0."""
    return "0" if (found := f"{100 * value:.0f}") == "-0" else found
