"""One look for all figures: fixed colours and markers, sizes of a two-column page, reproducible files."""

from collections.abc import Iterator, Mapping, Sequence
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
    "lines.linewidth": 1.0,
    "lines.markersize": 5,
    **dict.fromkeys(("figure.dpi", "savefig.dpi"), DPI),
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    **dict.fromkeys(("figure.constrained_layout.w_pad", "figure.constrained_layout.h_pad"), 0.03),
}
_NOTE_LINE = 0.13  # height of a line of text below a figure, in inches
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
    rows: int, columns: int, height: float, *, width: float = DOUBLE, failed: Sequence[str] = (), **more: Any
) -> Iterator[tuple[Figure, np.ndarray]]:
    """Draw on an array of panels (rows, columns), ``width`` x ``height`` inches in all, and more for what failed.

    The figure needs no display and no closing. What ``failed`` stands below all panels: what is not drawn must not
    vanish. ``more`` goes to ``Figure.subplots``.
    """
    note = _failure_note(failed, wide=width > SINGLE)
    figure = Figure(figsize=(width, height + _NOTE_LINE * len(note.splitlines())), layout="constrained")
    yield figure, np.asarray(figure.subplots(rows, columns, squeeze=False, **more))
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

    Raises:
        StorageError: a file cannot be written.
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
    """A legend entry with the colour and marker of a role."""
    return Line2D([], [], linestyle="none", label=label, **marker(role, filled))


def mean_image_handle() -> Line2D:
    """The legend entry of R = 1."""
    return Line2D([], [], color=GREY, linewidth=0.8, linestyle=DASHED, label=f"mean image ({RISK} = 1)")


def say(ax: Axes, text: str, x: float = 0.5, y: float = 0.5, **more: Any) -> None:
    """Say in grey why a panel is empty at a place, by default its middle; ``x`` and ``y`` are shares of it."""
    look: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center", "fontsize": SMALL, "color": GREY}
    ax.text(x, y, text, **look | more)


def legend_lines(handles: Sequence[Artist], across: int) -> int:
    """The number of lines of a legend with at most ``across`` entries side by side."""
    return -(-len(handles) // across)


def legend(figure: Figure, handles: Sequence[Artist], across: int, *titles: str, **more: Any) -> None:
    """Such a legend above all panels; empty titles are left out."""
    title = "; ".join(filter(None, titles)) or None
    columns = -(-len(handles) // legend_lines(handles, across))
    figure.legend(handles=list(handles), title=title, loc="outside upper center", ncols=columns, **more)


def once(sources: Mapping[str, str]) -> str:
    """:data:`ALL_SYNTHETIC` where that is so of every task, given its data source; else ""."""
    return ALL_SYNTHETIC if frames.all_synthetic(dict(sources)) else ""


def heading(task: str, sources: Mapping[str, str]) -> str:
    """The title of a task, marked where its data alone are synthetic."""
    return plain(frames.title(task) if once(sources) else frames.marked_title(task, sources[task]))


def short_heading(task: str, sources: Mapping[str, str]) -> str:
    """The same in short lines, for beside a row of panels."""
    mark = frames.STAND_IN.split() if sources[task] == "synthetic" and not once(sources) else []
    return "\n".join([plain(frames.title(task)).replace(" (", "\n(").replace(", ", ",\n"), *mark])
