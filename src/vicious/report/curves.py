"""Figures 5 to 7: accuracy and reconstruction along one quantity: beta_R, attributes of CelebA, or classes.

A row of panels for each dataset, a panel for each measure, a curve for each role and kind of outputs.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vicious.report import frames
from vicious.report.frames import Cell, Group
from vicious.report.style import (
    ALL_SYNTHETIC,
    BETA,
    COLOURS,
    DOUBLE,
    GREY,
    NOTE_LINE,
    RISK,
    RISK95,
    SMALL,
    failure_lines,
    marker,
    new_figure,
    note_failures,
    plain,
    style,
    write_figure,
)
from vicious.study.grid import Role

_PANELS = {"accuracy": "accuracy (%)", "psnr": "PSNR (dB)", "ssim": "SSIM", "risk": RISK, "risk95": RISK95}
_SCALES = {"accuracy": 100.0}
_RISKS = ("risk", "risk95")
_ROLES: tuple[Role, ...] = ("honest", "vicious")
_DASHED = (0, (4, 2))
_LINES = {"logits": "solid", "softmax": (0, (1.2, 1.2))}
_ROW = 1.05
"""Height, in inches, of a row of panels."""
_ACROSS = 4
"""Most legend entries side by side."""
_LEGEND_LINE = 0.17
"""Height, in inches, of a line of the legend."""
_FAILED_AT = 0.04
"""Where crosses of failed points stand, as a share of the panel's height."""
_TICKS_APART = 0.24
"""Least distance of two numbers below a panel, as a share of the axis."""


@dataclass(frozen=True)
class _Figure:
    """What tells the figures apart.

    Attributes:
        x: what a group's place on the horizontal axis is.
        label: of the horizontal axis; short, since every panel of the last row carries it.
        level: honest models have no place on the axis, and are drawn as a horizontal line.
        subject: the caption's first sentences.
    """

    x: Callable[[Group], float]
    label: str
    level: bool
    subject: str


def _k(group: Group) -> float:
    return float(group.k or math.nan)


_FIGURES = {
    5: _Figure(
        lambda group: group.beta_r,
        BETA,
        True,
        "Accuracy against reconstruction: vicious models by the weight beta_R of the reconstruction loss in their "
        "training. Horizontal line and band: the post-hoc attack on honest models, mean and standard deviation.",
    ),
    6: _Figure(
        _k,
        "attributes $K$",
        False,
        "Accuracy and reconstruction by the number K of attributes, each an output of the model.",
    ),
    7: _Figure(
        _k,
        "classes $K$",
        False,
        f"Accuracy and reconstruction by the number K of classes. {frames.CLASS_COUNTS}",
    ),
}


def curves(number: int, summary: pd.DataFrame) -> Figure:
    """Draw accuracy, PSNR, SSIM, R and R95 of honest and vicious models: means over seeds, standard deviations as bars.

    Figure 5 is over beta_R, with honest models as a level; figure 6 over CelebA's attributes; figure 7 over classes.
    Autoencoders are left out.

    Raises:
        DataError: a column is missing, or there is no post-hoc attack and no vicious model.
        MixedResultsError: the rows mix configurations.
    """
    what = _FIGURES[number]
    shown = _shown(summary)
    found = frames.groups(shown)
    datasets = list(dict.fromkeys(group.dataset for group in found))
    source = {group.dataset: str(group.rows["source"].iloc[0]) for group in found}
    with style():
        failed = failure_lines(frames.failed_seeds(found))
        handles = _legend(what, found)
        lines = math.ceil(len(handles) / _ACROSS)
        figure = new_figure(DOUBLE, 0.65 + _LEGEND_LINE * lines + _ROW * len(datasets) + NOTE_LINE * len(failed))
        axes = np.asarray(figure.subplots(len(datasets), len(_PANELS), sharex="row", squeeze=False))
        for line, dataset in zip(axes, datasets, strict=True):
            here = [group for group in found if group.dataset == dataset]
            for ax, measure in zip(line, _PANELS, strict=True):
                _draw(ax, what, here, measure)
            _scale(line[0], [what.x(group) for group in here if not (what.level and group.role == "honest")])
            line[0].set_ylabel(_name(dataset, source), fontsize=SMALL)
        for ax, words in zip(axes[0], _PANELS.values(), strict=True):
            ax.set_title(words, pad=4)
        for ax in axes[-1]:
            ax.set_xlabel(what.label, labelpad=2)
        told = [ALL_SYNTHETIC] if frames.all_synthetic(source) else []
        figure.legend(
            handles=handles,
            title="; ".join([*told, frames.spread(found)]),
            loc="outside upper center",
            ncols=math.ceil(len(handles) / lines),
            handlelength=2.4,
        )
        note_failures(figure, failed)
    return figure


def caption(number: int, summary: pd.DataFrame) -> str:
    """The caption of figure ``number``, with the settings used and what failed."""
    shown = _shown(summary)
    found = frames.groups(shown)
    failed = frames.failures(found)
    cross = " A cross: no seed has a result." if _lost(found) else ""
    note = f"{cross} Without a result: {'; '.join(failed)}." if failed else ""
    return (
        f"{_FIGURES[number].subject} Reconstruction risks: {frames.risk_words(shown)}, and R95, on the leading components "
        "that explain 95% of the variance; larger is worse for privacy. Dashed: R = 1, guessing the mean image. Means "
        f"over seeds; bars: standard deviation, none for a single seed. {frames.settings(shown, accuracy=True, risk=True)}{note}"
    )


def write_curves(number: int, summary_csv: Path, out_dir: Path) -> tuple[Path, ...]:
    """Write figure5 (trade-off), figure6 (attribute sets) or figure7 (class counts) as .pdf, .png and .md.

    Args:
        number: of the figure, 5 to 7.
        summary_csv: the experiment's summary.
        out_dir: where the files go.

    Returns:
        their paths.

    Raises:
        DataError: the summary is damaged or lacks a column.
        MixedResultsError: the summary mixes configurations.
        StorageError: a file cannot be written.
    """
    summary = frames.read_summary(Path(summary_csv))
    return write_figure(number, curves(number, summary), caption(number, summary), Path(out_dir))


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    frames.check_summary(summary)
    return summary.loc[summary["role"].isin(_ROLES)]


def _lost(found: Iterable[Group]) -> bool:
    """Whether some group has no seed left."""
    return any(group.planned and not group.cell("risk").ok for group in found)


def _draw(ax: Axes, what: _Figure, found: Sequence[Group], measure: str) -> None:
    if measure in _RISKS:
        ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle=_DASHED, zorder=0)
    for role, outputs in dict.fromkeys((group.role, group.outputs) for group in found):
        here = [group for group in found if (group.role, group.outputs) == (role, outputs)]
        cells = [group.cell(measure, _SCALES.get(measure, 1.0)) for group in here]
        if what.level and role == "honest":
            _draw_level(ax, cells[0], outputs)
        else:
            _draw_curve(ax, [what.x(group) for group in here], cells, role, outputs)
    ax.margins(x=0.1, y=0.12)
    known = any(group.cell(measure).ok for group in found)
    ax.yaxis.set_major_locator(MaxNLocator(4) if known else NullLocator())
    ax.tick_params(pad=2)


def _draw_level(ax: Axes, cell: Cell, outputs: str) -> None:
    colour = COLOURS["honest"]
    if cell.total and not cell.ok:
        # Left of and above the crosses of points.
        ax.plot(_FAILED_AT, 3 * _FAILED_AT, transform=ax.transAxes, zorder=4, **_cross(colour))
    if math.isfinite(cell.mean):
        ax.axhline(cell.mean, color=colour, linewidth=1.0, linestyle=_LINES.get(outputs, "solid"), zorder=1)
    if math.isfinite(cell.sd):
        ax.axhspan(cell.mean - cell.sd, cell.mean + cell.sd, color=colour, alpha=0.2, linewidth=0, zorder=0.5)


def _draw_curve(ax: Axes, xs: Sequence[float], cells: Sequence[Cell], role: Role, outputs: str) -> None:
    """Means with bars; a point without any result is a cross at the foot, and breaks the line."""
    means = np.array([cell.mean if math.isfinite(cell.mean) else math.nan for cell in cells])
    spreads = np.array([0.0 if math.isnan(cell.sd) else cell.sd for cell in cells])
    look = marker(role, outputs != "softmax") | {"markersize": 3.5, "linestyle": _LINES.get(outputs, "solid")}
    order = np.argsort(xs)
    x = np.array(xs, dtype=float)[order]
    bars = spreads[order] if spreads.any() else None
    ax.errorbar(x, means[order], yerr=bars, linewidth=0.9, elinewidth=0.8, capsize=1.5, zorder=3, **look)
    lost = [place for place, cell in zip(xs, cells, strict=True) if cell.total and not cell.ok]
    ax.plot(lost, [_FAILED_AT] * len(lost), transform=ax.get_xaxis_transform(), zorder=4, **_cross(COLOURS[role]))


def _cross(colour: str) -> dict[str, Any]:
    return {"marker": "x", "linestyle": "none", "color": colour, "markersize": 4, "markeredgewidth": 1.0}


def _scale(ax: Axes, xs: Iterable[float]) -> None:
    """A logarithmic axis that holds all values, failed ones too, with numbers at some of them."""
    values = sorted({value for value in xs if math.isfinite(value) and value > 0}) or [1.0]
    span = max(values[-1] / values[0], 4.0)
    middle = math.sqrt(values[0] * values[-1])
    ax.set_xscale("log")
    ax.set_xlim(middle / span**0.6, middle * span**0.6)
    ax.xaxis.set_major_locator(FixedLocator(_ticks(values, span**1.2)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def _ticks(values: Sequence[float], span: float) -> list[float]:
    """Those values that are numbered: the ends, then powers of ten, then others that are far enough from these."""
    apart = _TICKS_APART * math.log(span)
    chosen = {values[0], values[-1]}
    for value in sorted(values, key=lambda value: (not math.log10(value).is_integer(), value)):
        if all(abs(math.log(value / other)) >= apart for other in chosen):
            chosen.add(value)
    return sorted(chosen)


def _name(dataset: str, source: dict[str, str]) -> str:
    """The title beside a row of panels, in short lines."""
    mark = source[dataset] == "synthetic" and not frames.all_synthetic(source)
    return "\n".join([plain(frames.title(dataset)), *(frames.STAND_IN.split() if mark else [])])


def _legend(what: _Figure, found: Sequence[Group]) -> list[Line2D]:
    kinds = list(dict.fromkeys(group.outputs for group in found))
    words = {"honest": "honest, post-hoc attack", "vicious": "vicious"}
    handles = []
    for role, outputs in dict.fromkeys((group.role, group.outputs) for group in found):
        look = marker(role, outputs != "softmax") | {"markersize": 3.5, "linestyle": _LINES.get(outputs, "solid")}
        if what.level and role == "honest":
            look["marker"] = "none"
        label = words[role] + (f" ({outputs})" if len(kinds) > 1 else "")
        handles.append(Line2D([], [], linewidth=0.9, label=label, **look))
    handles.append(Line2D([], [], color=GREY, linewidth=0.8, linestyle=_DASHED, label=f"mean image ({RISK} = 1)"))
    if _lost(found):
        handles.append(Line2D([], [], label="failed", **_cross(GREY)))
    return handles
