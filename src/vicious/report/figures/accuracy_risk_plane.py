"""Accuracy against reconstruction risk, from honest models to vicious ones."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.report import frames, style
from vicious.report.frames import PERCENT, Group
from vicious.report.style import BETA, DASHED, GREY, RISK, RISK95, Point
from vicious.report.text import Text, about, counts
from vicious.results.schema import SUMMARY, Role, check_table, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
_COLUMNS = {"risk": f"reconstruction risk {RISK}", "risk95": f"reconstruction risk {RISK95}"}
_ROOM = 14.0
"""Typographic points between two marks that an arrow needs to be seen."""
_LINE = 0.075  # height of a line of a name, as a share of the panel's


@style.applied()
def draw(summary: pd.DataFrame) -> Figure:
    """Draw accuracy (%) against R and R95, means over seeds with standard deviations as bars.

    A panel for each of R and R95, and a line of panels for each kind of outputs. Autoencoders have no accuracy, so no
    point.
    """
    shown = _shown(summary)
    found = frames.groups(shown)
    kinds = list(dict.fromkeys(group.outputs for group in found))
    source = frames.sources(shown)
    around: dict[str, Any] = {
        "failed": frames.failed_seeds(found),
        "handles": _legend(found, frames.model_words(shown)),
        "titles": [style.once(source), frames.attack_line(shown)],
    }
    with style.page(len(kinds), 2, 0.25 + 2.6 * len(kinds), sharey="row", **around) as (figure, axes):
        for line, kind in zip(axes, kinds, strict=True):
            here = [group for group in found if group.outputs == kind]
            for ax, (column, label) in zip(line, _COLUMNS.items(), strict=True):
                _draw(ax, here, column)
                ax.set_xlabel(f"{label}\n({frames.spread(here)}; {RISK} has no unit)")
                ax.set_title(f"outputs: {kind}" if len(kinds) > 1 else "")
            for ax, column in zip(line, _COLUMNS, strict=True):
                _write_names(ax, _paths(here, column), source)
            line[0].set_ylabel("test accuracy (%)")
    return figure


def text(summary: pd.DataFrame) -> Text:
    shown = _shown(summary)
    found = frames.groups(shown)
    attacks = frames.attack_words(shown)
    left_out = "Autoencoders have no accuracy and are left out." if len(shown) < len(summary) else ""
    return Text(
        f"Test accuracy (%) against reconstruction risk (no unit): the {attacks['honest']} on honest models, and the "
        f"{attacks['vicious']} on vicious models. Left: R; right: R95. Further right is worse for privacy. "
        f"{counts(found)}",
        (
            frames.about_best(shown),
            "Arrows, where there is room, lead from honest to vicious models, by growing beta_R. Bars: standard "
            "deviation. Vertical line: R = 1, guessing the mean image.",
            left_out,
            *about(shown),
        ),
        frames.failures(found),
    )


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(SUMMARY, summary)
    return style.write_figure(out, draw(frame), text(frame))


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    check_table(SUMMARY, summary)
    return summary.loc[summary["role"] != "autoencoder"]


def _draw(ax: Axes, found: Sequence[Group], column: str) -> None:
    ax.axvline(1.0, color=GREY, linewidth=0.8, linestyle=DASHED, zorder=0)
    for group in found:
        cells = group.over_seeds(column), group.over_seeds("accuracy", PERCENT)
        across, up = (None if math.isnan(cell.sd) else cell.sd for cell in cells)
        bars = style.marker(group.role) | {"elinewidth": 0.8, "capsize": 1.5, "linestyle": "none", "zorder": 3}
        if all(math.isfinite(cell.mean) for cell in cells):
            ax.errorbar(cells[0].mean, cells[1].mean, xerr=across, yerr=up, **bars)
    ax.margins(x=0.14, y=0.14)
    ax.autoscale_view()
    arrow = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "color": GREY, "linewidth": 0.7}
    for path in _paths(found, column).values():
        for start, end in pairwise(path):
            if _apart(ax, start, end) < _ROOM:
                continue  # one would lie below the marks
            ax.annotate("", xy=end, xytext=start, arrowprops=arrow | {"shrinkA": 4, "shrinkB": 4}, zorder=2)


def _apart(ax: Axes, start: Point, end: Point) -> float:
    """How far two points are from each other on the page, about, in typographic points."""
    x, y = ax.transData.transform(end) - ax.transData.transform(start)
    return math.hypot(x, y) * 72 / ax.figure.dpi


def _paths(found: Sequence[Group], column: str) -> dict[str, list[Point]]:
    """The points, risk and accuracy (%), that exist of each task: honest, then vicious by growing beta_R."""
    paths: dict[str, list[Point]] = {}
    for group in found:
        point = group.over_seeds(column).mean, group.over_seeds("accuracy", PERCENT).mean
        if all(map(math.isfinite, point)):
            paths.setdefault(group.task, []).append(point)
    return paths


def _write_names(ax: Axes, paths: dict[str, list[Point]], source: dict[str, str]) -> None:
    """The tasks' names to the right of a panel, apart from each other, each with a line to its last point."""
    low, high = ax.get_ylim()
    ends = {style.heading(task, source).replace(" (syn", "\n(syn"): path[-1] for task, path in paths.items()}
    least = _LINE * max((1 + name.count("\n") for name in ends), default=1)
    for name, place in style.apart({name: (y - low) / (high - low) for name, (_, y) in ends.items()}, least).items():
        style.tie(ax, name, (1.02, place), ends[name], ha="left")


def _legend(found: Sequence[Group], words: Mapping[Role, str]) -> list[Line2D]:
    betas = sorted({group.beta_r for group in found if group.role == "vicious"})
    weights = f", {BETA} = {', '.join(f'{beta:g}' for beta in betas)}" if len(betas) > 1 else ""
    labels = {"honest": words["honest"], "vicious": words["vicious"] + weights}
    there = {group.role for group in found}
    handles = [style.role_handle(role, label) for role, label in labels.items() if role in there]
    return [*handles, style.mean_image_handle()]
