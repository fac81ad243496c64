"""One look for all figures: fixed colours and markers, sizes of a two-column page, reproducible files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from vicious.report import frames
from vicious.report.text import Text, markdown
from vicious.study.artifacts import Destination
from vicious.system.files import atomic_path, write_text

SINGLE = 3.35
"""Width, in inches, of a figure that fills one column."""
DOUBLE = 6.9
"""Width, in inches, of a figure that fills both columns."""
DPI = 300

# Okabe and Ito's palette keeps apart for every common colour blindness; the markers keep apart in grey print.
COLOURS = {"honest": "#0072B2", "vicious": "#D55E00", "autoencoder": "#009E73"}
MARKERS = {"honest": "o", "vicious": "^", "autoencoder": "s"}
GREY = "#595959"
PALE = "#BFBFBF"

RISK = "$R$"
RISK95 = "$R_{95}$"
ALL_SYNTHETIC = "all datasets: synthetic stand-ins"
"""Stands once above a figure without official data, instead of beside each name."""
BETA = r"$\beta_R$"
DASHED: Any = (0, (4, 2))

Point = tuple[float, float]

SMALL = 7
"""The smallest font size, in points."""
_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize", "figure.titlesize"), 8),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"), SMALL),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 2.5),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.0,
    "lines.markersize": 5,
    **dict.fromkeys(("figure.dpi", "savefig.dpi"), DPI),
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    **dict.fromkeys(("figure.constrained_layout.w_pad", "figure.constrained_layout.h_pad"), 0.03),
}
_LEGEND_LINE = 0.16  # height of a line of the legend, in inches
_NOTE_LINE = 0.13  # height of a line of text below a figure, in inches
_SHORT = 6.0  # a logarithmic axis is short whose highest value is so many times the lowest
_NOTE_SIGNS = 105  # of the smallest size, side by side on both columns


@contextmanager
def applied() -> Iterator[None]:
    """The library's defaults and the settings above, whatever the user's are: around all that draws or saves."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        sns.set_theme(context="paper", style="ticks", rc=_RC)
        yield


@contextmanager
def page(
    rows: int,
    columns: int,
    height: float,
    *,
    width: float = DOUBLE,
    failed: Sequence[str] = (),
    handles: Sequence[Artist] = (),
    across: int = 4,
    titles: Iterable[str] = (),
    **more: Any,
) -> Iterator[tuple[Figure, np.ndarray]]:
    """Draw on an array of panels (rows, columns), ``width`` x ``height`` inches, and more for legend and what failed.

    Above all panels stand the ``titles`` that are not empty, and a legend with at most ``across`` entries side by side;
    below them what ``failed``: what is not drawn must not vanish. The figure needs no display and no closing. ``more``
    goes to ``Figure.subplots``.
    """
    note = _failure_note(failed, wide=width > SINGLE)
    title = "; ".join(filter(None, titles))
    lines = -(-len(handles) // across)
    height += _LEGEND_LINE * (lines + bool(title)) + _NOTE_LINE * len(note.splitlines())
    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure, np.asarray(figure.subplots(rows, columns, squeeze=False, **more))
    if handles:
        columns = -(-len(handles) // lines)
        figure.legend(handles=list(handles), title=title or None, loc="outside upper center", ncols=columns)
    elif title:
        figure.suptitle(title, fontsize=SMALL)
    if note:
        figure.supxlabel(plain(note).replace("beta_R", BETA), fontsize=SMALL, color=COLOURS["vicious"])


def _failure_note(failed: Sequence[str], wide: bool) -> str:
    """What failed, in lines that fit; in a single column each has a line of its own."""
    lines: list[str] = []
    for item in failed:
        if wide and lines and len(lines[-1]) + len(item) < _NOTE_SIGNS:
            lines[-1] += f"; {item}"
        else:
            lines.append(item)
    return ("Failed: " if wide else "Failed:\n") + ";\n".join(lines) if lines else ""


def write_figure(out: Destination, figure: Figure, text: Text) -> tuple[Path, ...]:
    """Write ``figure`` as vector .pdf and as .png, with its caption and notes as .md; returns the three paths.

    The same figure gives the same bytes each time.
    """
    pdf, png, words = (out.file(suffix) for suffix in (".pdf", ".png", ".md"))
    with applied():
        with atomic_path(pdf) as temporary:
            figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    below = text.below()
    write_text(words, f"**{markdown(out.label)}.** {markdown(text.caption)}\n" + (f"\n{below}" if below else ""))
    return pdf, png, words


def plain(text: str) -> str:
    """``text`` with the signs of mathematical typesetting made literal."""
    return text.replace("$", r"\$")


def marker(role: str, filled: bool = True) -> dict[str, Any]:
    """Keyword arguments of a role's marker; hollow markers stand for softmax outputs."""
    colour = COLOURS[role]
    face = colour if filled else "white"
    return {
        **{"marker": MARKERS[role], "color": colour, "markerfacecolor": face, "markeredgecolor": colour},
        **{"markeredgewidth": 0.9, "markersize": 5},
    }


def role_handle(role: str, label: str, filled: bool = True) -> Line2D:
    return Line2D([], [], linestyle="none", label=label, **marker(role, filled))


def mean_image_handle() -> Line2D:
    return Line2D([], [], color=GREY, linewidth=0.8, linestyle=DASHED, label=f"mean image ({RISK} = 1)")


def say(ax: Axes, text: str, x: float = 0.5, y: float = 0.5, **more: Any) -> None:
    """Say in grey why a panel is empty at a place, by default its middle; ``x`` and ``y`` are shares of it."""
    look: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center", "fontsize": SMALL, "color": GREY}
    ax.text(x, y, text, **look | more)


def tie(ax: Axes, text: str, place: Point, point: Point, coordinates: Any = "data", **more: Any) -> None:
    """Text as :func:`say` writes it at a place, with a thin line to the point that it names."""
    look: dict[str, Any] = {"color": PALE, "linewidth": 0.5, "clip_on": False, "zorder": 1}
    ax.add_artist(ConnectionPatch(place, point, "axes fraction", coordinates, axesA=ax, axesB=ax, **look))
    say(ax, text, *place, **more)


def apart(shares: Mapping[str, float], least: float) -> dict[str, float]:
    """Places in [0, 1] in the same order, moved as little as it takes for any two to be ``least`` apart."""
    names = sorted(shares, key=lambda name: shares[name])
    places = [shares[name] for name in names]
    for _ in range(100):
        for index in range(len(places) - 1):
            lack = least - (places[index + 1] - places[index])
            if lack > 0:
                places[index] -= lack / 2
                places[index + 1] += lack / 2
    return dict(zip(names, places, strict=True))


def log_marks(ax: Axes) -> None:
    """A few numbers along a logarithmic axis y, at plain distances where it is short. Call it when all is drawn."""
    low, high = ax.get_ylim()
    short = high < _SHORT * low
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4) if short else LogLocator(subs=(1.0, 2.0, 5.0), numticks=5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def once(sources: Mapping[str, str]) -> str:
    """:data:`ALL_SYNTHETIC` where that is so of every task, given its data source; else ""."""
    return ALL_SYNTHETIC if set(sources.values()) == {"synthetic"} else ""


def heading(task: str, sources: Mapping[str, str]) -> str:
    return plain(frames.title(task) if once(sources) else frames.marked_title(task, sources[task]))


def short_heading(task: str, sources: Mapping[str, str]) -> str:
    """The same in short lines, for beside a row of panels."""
    mark = frames.STAND_IN.split() if sources[task] == "synthetic" and not once(sources) else []
    return "\n".join([plain(frames.title(task)).replace(" (", "\n(").replace(", ", ",\n"), *mark])
