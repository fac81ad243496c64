"""One look for all figures: fixed colours and markers, sizes of a two-column page, reproducible files."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.report.tables import escape_markdown
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
def style() -> Iterator[None]:
    """Draw and save inside this context: the library's defaults and the settings above, whatever the user's are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches that needs no display and no closing."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, pdf: Path, png: Path) -> None:
    """Write ``figure`` as vector PDF and as PNG at 300 dpi, with the same bytes each time.

    Raises:
        StorageError: a file cannot be written.
    """
    with style():
        with atomic_path(pdf) as temporary:
            figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def write_figure(number: int, figure: Figure, caption: str, out_dir: Path) -> tuple[Path, ...]:
    """Write ``figure<number>`` as .pdf and .png with its caption as .md below ``out_dir``; returns the three paths.

    Raises:
        StorageError: a file cannot be written.
    """
    pdf, png, text = (Path(out_dir) / f"figure{number}{suffix}" for suffix in (".pdf", ".png", ".md"))
    save(figure, pdf, png)
    write_text(text, f"**Figure {number}.** {caption_markdown(caption)}\n")
    return pdf, png, text


def caption_markdown(text: str) -> str:
    """``text`` as Markdown that reads as it stands, the study's symbols typeset; beyond a table, more signs act."""
    return re.sub(r"(?<!β)_|[\[\]~]", r"\\\g<0>", escape_markdown(text))


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
