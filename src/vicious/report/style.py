"""One look for all figures: fixed colours and markers, sizes of a two-column page, reproducible files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
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
"""Said once, above a figure without official data, instead of beside each name."""
BETA = r"$\beta_R$"
DASHED: Any = (0, (4, 2))

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "figure.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 5,
    "legend.frameon": False,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.03,
}
SMALL = 7
"""The smallest font size, in points."""
NOTE_LINE = 0.13
"""Height, in inches, of a line of text below a figure."""
_NOTE_SIGNS = 105
"""Signs of the smallest size that stand side by side on both columns."""


@contextmanager
def applied() -> Iterator[None]:
    """Draw and save inside this context: the library's defaults and the settings above, whatever the user's are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        sns.set_theme(context="paper", style="ticks", rc=_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches that needs no display and no closing."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, pdf: Path, png: Path) -> None:
    """Write ``figure`` as vector PDF and as PNG at 300 dpi, with the same bytes each time.

    Raises:
        StorageError: a file cannot be written.
    """
    with applied():
        with atomic_path(pdf) as temporary:
            figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def write_figure(out: Destination, figure: Figure, text: Text) -> tuple[Path, ...]:
    """Write ``figure`` as .pdf and .png, with its caption and notes as .md; returns the three paths.

    Raises:
        StorageError: a file cannot be written.
    """
    pdf, png, words = (out.file(suffix) for suffix in (".pdf", ".png", ".md"))
    save(figure, pdf, png)
    below = text.below()
    write_text(words, f"**{markdown(out.label)}.** {markdown(text.caption)}\n" + (f"\n{below}" if below else ""))
    return pdf, png, words


def failure_lines(failed: Sequence[str]) -> list[str]:
    """What has no result, as lines that fit below a figure over both columns; none for an empty ``failed``.

    A figure needs :data:`NOTE_LINE` more inches of height for each.
    """
    lines: list[str] = []
    for item in failed:
        if lines and len(lines[-1]) + len(item) < _NOTE_SIGNS:
            lines[-1] += f"; {item}"
        else:
            lines.append(item)
    return [f"{'' if index else 'Failed: '}{line}" for index, line in enumerate(lines)]


def note_failures(figure: Figure, lines: Sequence[str]) -> None:
    """Write the lines of :func:`failure_lines` below all panels: what is not drawn must not vanish."""
    if lines:
        text = plain(";\n".join(lines)).replace("beta_R", BETA)
        figure.supxlabel(text, fontsize=SMALL, color=COLOURS["vicious"])


def plain(text: str) -> str:
    """``text`` with the signs of mathematical typesetting made literal."""
    return text.replace("$", r"\$")


def role_handle(role: str, label: str, filled: bool = True) -> Line2D:
    """A legend entry with the colour and marker of a role."""
    return Line2D([], [], linestyle="none", label=label, **marker(role, filled))


def marker(role: str, filled: bool = True) -> dict[str, Any]:
    """Keyword arguments of a role's marker; hollow markers stand for softmax outputs."""
    colour = COLOURS[role]
    return {
        "marker": MARKERS[role],
        "color": colour,
        "markerfacecolor": colour if filled else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 0.9,
        "markersize": 5,
    }


def say(ax: Axes, text: str, x: float = 0.5, y: float = 0.5, **more: Any) -> None:
    """Say in grey why there is nothing at a place of a panel, by default in its middle; ``x`` and ``y`` are shares of
    it."""
    look: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center", "fontsize": SMALL, "color": GREY}
    ax.text(x, y, text, **look | more)


def legend(figure: Figure, handles: Sequence[Artist], across: int, *titles: str, **more: Any) -> None:
    """The legend above all panels, at most ``across`` entries side by side; empty titles are left out."""
    lines = legend_lines(handles, across)
    title = "; ".join(filter(None, titles)) or None
    columns = -(-len(handles) // lines)
    figure.legend(handles=list(handles), title=title, loc="outside upper center", ncols=columns, **more)


def legend_lines(handles: Sequence[Artist], across: int) -> int:
    """The number of lines of such a legend."""
    return -(-len(handles) // across)


def mean_image_handle() -> Line2D:
    """The legend entry of R = 1."""
    return Line2D([], [], color=GREY, linewidth=0.8, linestyle=DASHED, label=f"mean image ({RISK} = 1)")


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
