"""Accuracy against reconstruction, by what the user does to the outputs."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.mitigations import parse_outputs
from vicious.report import frames, mitigations, style
from vicious.report.frames import PERCENT, Group
from vicious.report.mitigations import SERVERS, Treated
from vicious.report.style import GREY, RISK95, Point
from vicious.report.text import Text, about, counts
from vicious.results.schema import SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "mitigations"
_PANELS = {"psnr": "PSNR (dB)", "risk95": RISK95}
_LOOKS: dict[str, tuple[str, str]] = {
    "logits": ("black", "o"),
    "softmax": ("#7F7F7F", "p"),
    "probabilities": ("#56B4E9", "h"),
    "temperature": ("#D55E00", "^v"),
    "top": ("#009E73", "><"),
    "round": ("#0072B2", "sDd"),
    "noise": ("#CC79A7", "PX"),
    "label": ("#E69F00", "*"),
    "other": ("#882255", "H8"),
}
"""Colour of each kind, and markers for its amounts, in turn."""
_FILLS: dict[str, dict[str, Any]] = {
    "vicious": {},
    "aware": {"fillstyle": "left", "markerfacecoloralt": "white"},
    "honest": {"markerfacecolor": "white"},
}
_FILLED = {"vicious": "filled: vicious", "aware": "half: vicious, trained for it", "honest": "hollow: honest"}
_SIZE = 5.5  # side of a marker in typographic points; stars look smaller than they are
_APART = 1.1  # sides of a marker by which two that would cover each other are moved apart
_ACROSS = 6  # legend entries side by side


@dataclass(frozen=True)
class _Mark:
    """One attack in a panel: accuracy (%) and reconstruction with their standard deviations, 0 where there is none."""

    group: Group
    server: str
    place: Point
    spread: Point


@style.applied()
def draw(summary: pd.DataFrame) -> Figure:
    """Draw accuracy (%) against PSNR and R95 for each dataset, means over seeds with standard deviations as bars.

    The line is the :func:`frontier` against the vicious server that reconstructs more.
    """
    found = mitigations.treated(summary)
    shown = mitigations.groups(found)
    tasks = list(dict.fromkeys(one.task for one in found))
    source = {group.task: str(group.rows["source"].iloc[0]) for group in shown}
    looks = _looks(one.outputs for one in found)
    height = 0.35 + min(2.1, 8.4 / len(tasks)) * len(tasks)
    around: dict[str, Any] = {"failed": frames.failed_seeds(shown), "handles": _legend(looks, found), "across": _ACROSS}
    around["titles"] = style.once(source), frames.attack_line(summary), frames.spread(shown)
    panels = []
    with style.page(len(tasks), len(_PANELS), height, sharex="row", **around) as (figure, axes):
        for line, task in zip(axes, tasks, strict=True):
            here = [one for one in found if one.task == task]
            line[0].set_title(style.heading(task, source), loc="left", pad=4)
            for ax, (measure, title) in zip(line, _PANELS.items(), strict=True):
                panels.append((ax, _marks(here, measure), list(mitigations.choices(here, measure).values())))
                ax.set_ylabel(title)
        for ax, marks, _ in panels:
            _prepare(ax, marks)
        for ax in axes[-1]:
            ax.set_xlabel("accuracy of what is sent (%)")
    # The layout must be final before it is known which markers would cover each other.
    figure.draw_without_rendering()
    for ax, marks, worst in panels:
        _draw(ax, marks, worst, looks)
    return figure


def text(summary: pd.DataFrame) -> Text:
    found = mitigations.treated(summary)
    groups = mitigations.groups(found)
    return Text(
        f"Accuracy (%) of the answers as sent against reconstruction by {mitigations.attack_words(summary)}, for each "
        f"mitigation. Left: PSNR (dB); right: R95 (no unit). Higher is worse for privacy. {counts(groups)}",
        (
            frames.about_best(summary),
            "Filled: vicious models. Half filled: vicious ones trained for what is sent. Hollow: honest ones. "
            f"{mitigations.servers(found)}",
            "A tie of answers counts as chance. Markers that would cover each other are moved apart sideways, and a "
            "thin line leads back to where they belong. Each panel has its own scale. Bars: standard deviation.",
            "Stepped line: the frontier of what a user can choose, against the vicious server that reconstructs more, "
            "at the accuracy of the server trained for logits: the choices for which no other has both higher accuracy "
            "and less reconstruction. Softmax and probabilities, which no user can tell apart, are one choice.",
            mitigations.meanings(found),
            *about(summary, groups),
        ),
        frames.failures(groups),
    )


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(SUMMARY, summary)
    return style.write_figure(out, draw(frame), text(frame))


def aside(centres: Sequence[Point], apart: float) -> list[float]:
    """How far to move each centre sideways, so that no two are nearer than ``apart``; in the same unit.

    The first keep their places; each other one moves as little as it can.
    """
    placed: list[Point] = []
    moves: list[float] = []
    for x, y in centres:
        # Right of, or left of, each that is near in height: one of these places is the nearest that is free.
        near = [(other, y - height) for other, height in placed if abs(y - height) < apart]
        reach = [(other, math.sqrt(apart**2 - rise**2)) for other, rise in near]
        tried = [x, *(end for other, width in reach for end in (other + width, other - width))]
        free = (at for at in tried if all(abs(at - other) >= width * (1 - 1e-9) for other, width in reach))
        best = min(free, key=lambda at: abs(at - x))
        placed.append((best, y))
        moves.append(best - x)
    return moves


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points (accuracy, reconstruction) that no other is at least as good as in both and better in one.

    From the least accurate to the most, which is also from the least reconstruction to the most.
    """
    best: list[Point] = []
    for accuracy, reconstruction in sorted(set(points), key=lambda point: (-point[0], point[1])):
        if not best or reconstruction < best[-1][1]:
            best.append((accuracy, reconstruction))
    return best[::-1]


def _looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    looks: dict[str, dict[str, Any]] = {}
    used: Counter[str] = Counter()
    for name in sorted(set(names), key=mitigations.rank):
        kind = parse_outputs(name).kind
        colour, markers = _LOOKS.get(kind, _LOOKS["other"])
        size = _SIZE + (2 if kind == "label" else 0)
        looks[name] = {"color": colour, "marker": markers[used[kind] % len(markers)], "markersize": size}
        used[kind] += 1
    return looks


def _marks(found: Sequence[Treated], measure: str) -> list[_Mark]:
    marks = []
    for server, group in ((server, group) for one in found for server, group in one.groups.items()):
        across, up = group.over_seeds("accuracy", PERCENT), group.over_seeds(measure)
        if math.isfinite(across.mean) and math.isfinite(up.mean):
            wide, high = (0.0 if math.isnan(cell.sd) else cell.sd for cell in (across, up))
            marks.append(_Mark(group, server, (across.mean, up.mean), (wide, high)))
    return marks


def _prepare(ax: Axes, marks: Sequence[_Mark]) -> None:
    """Set the limits by the marks and their bars; or say that all failed."""
    if not marks:
        style.say(ax, "failed")
        ax.set(xticks=[], yticks=[])
    ends = [np.array(mark.place) + side * np.array(mark.spread) for mark in marks for side in (-1, 1)]
    ax.update_datalim(np.array(ends).reshape(-1, 2))
    ax.margins(x=0.12, y=0.1)
    ax.autoscale_view()


def _draw(ax: Axes, marks: Sequence[_Mark], worst: Sequence[Point], looks: Mapping[str, dict[str, Any]]) -> None:
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    _draw_frontier(ax, worst)
    figure = ax.get_figure(root=True)
    assert figure is not None
    pixels = ax.transData.transform(np.array([mark.place for mark in marks]).reshape(-1, 2))
    moves = aside([(float(x), float(y)) for x, y in pixels], _APART * _SIZE * figure.dpi / 72)
    unit = np.diff(ax.get_xlim())[0] / ax.get_window_extent().width
    for mark, move in zip(marks, moves, strict=True):
        _draw_mark(ax, mark, mark.place[0] + move * unit, looks[mark.group.outputs])


def _draw_mark(ax: Axes, mark: _Mark, x: float, look: dict[str, Any]) -> None:
    """A marker at ``x``, a thin line back to where it belongs, and below all markers its bars."""
    true_x, y = mark.place
    across, up = (sd or None for sd in mark.spread)
    pale = to_rgba(look["color"], 0.6)
    ax.plot([true_x, x], [y, y], color=pale, linewidth=0.5, zorder=2)
    ax.errorbar(x, y, xerr=across, yerr=up, fmt="none", ecolor=pale, elinewidth=0.6, zorder=2)
    ax.plot(x, y, linestyle="none", markeredgewidth=0.9, zorder=3, **look, **_FILLS[mark.server])


def _draw_frontier(ax: Axes, points: Sequence[Point]) -> None:
    """Steps through the frontier, from the left edge of the panel to the upper one."""
    best = frontier(points)
    if best:
        corners = [(ax.get_xlim()[0], best[0][1])]
        for (x, y), (_, above) in pairwise([*best, (math.nan, ax.get_ylim()[1])]):
            corners += [(x, y), (x, above)]
        ax.plot(*np.array(corners).T, color=GREY, linewidth=0.7, zorder=1)


def _legend(looks: Mapping[str, dict[str, Any]], found: Sequence[Treated]) -> list[Line2D]:
    handles = [Line2D([], [], linestyle="none", label=mitigations.title(name), **look) for name, look in looks.items()]
    servers = {server for one in found for server, group in one.groups.items() if group.planned}
    grey: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": _SIZE, "color": GREY}
    return [
        *handles,
        *(Line2D([], [], label=_FILLED[name], **grey, **_FILLS[name]) for name in SERVERS[::-1] if name in servers),
        Line2D([], [], color=GREY, linewidth=0.7, solid_capstyle="projecting", label="frontier, vicious"),
    ]
