"""Accuracy against reconstruction risk, from the post-hoc attack on honest models to vicious ones."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.report import frames, style
from vicious.report.frames import Group, OverSeeds
from vicious.report.labels import Label, place
from vicious.report.style import BETA, DASHED, GREY, RISK, RISK95
from vicious.report.text import ABOUT_RISK95, ABOUT_SEEDS, Text, counts
from vicious.results.schema import SUMMARY, check_table, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
Point = tuple[float, float]

_COLUMNS = {"risk": f"reconstruction risk {RISK}", "risk95": f"reconstruction risk {RISK95}"}
_ALONG_ARROW = 12  # points of each arrow that labels keep clear of


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
    failed = frames.failed_seeds(found)
    panels = []
    with style.page(len(kinds), 2, 0.55 + 2.6 * len(kinds), failed=failed, sharey="row") as (figure, axes):
        for line, kind in zip(axes, kinds, strict=True):
            here = [group for group in found if group.outputs == kind]
            panels += [(ax, here, column) for ax, column in zip(line, _COLUMNS, strict=True)]
            line[0].set_ylabel("test accuracy (%)")
        for ax, here, column in panels:
            _draw(ax, here, column)
            ax.set_xlabel(f"{_COLUMNS[column]}\n({frames.spread(here)}; {RISK} has no unit)")
            ax.set_title(f"outputs: {here[0].outputs}" if len(kinds) > 1 else "")
        style.legend(figure, _legend(found), 3, style.once(source), handletextpad=0.5)
    # The layout must be final before free places for labels can be found.
    figure.draw_without_rendering()
    for ax, here, column in panels:
        _label(ax, here, column, source)
    return figure


def text(summary: pd.DataFrame) -> Text:
    shown = _shown(summary)
    found = frames.groups(shown)
    left_out = "Autoencoders have no accuracy and are left out." if len(shown) < len(summary) else ""
    return Text(
        "Test accuracy (%) against reconstruction risk (no unit): the post-hoc attack on honest models, and the joint "
        f"attack on vicious models. Left: R; right: R95. Further right is worse for privacy. {counts(found)}",
        (
            "Arrows lead from honest to vicious models, by growing beta_R where there are several. Bars: standard "
            "deviation. Vertical line: R = 1, guessing the mean image.",
            f"R is {frames.risk_words(shown)}. {ABOUT_RISK95} {left_out}",
            ABOUT_SEEDS,
            frames.conditions(shown, accuracy=True, risk=True),
        ),
        frames.failures(found),
    )


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(SUMMARY, summary)
    return style.write_figure(out, draw(frame), text(frame))


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of models that have an accuracy."""
    check_table(SUMMARY, summary)
    return summary.loc[summary["role"] != "autoencoder"]


def _draw(ax: Axes, found: Sequence[Group], column: str) -> None:
    ax.axvline(1.0, color=GREY, linewidth=0.8, linestyle=DASHED, zorder=0)
    for group in found:
        point = _point(group, column)
        if point is not None:
            across, up = (None if math.isnan(cell.sd) else cell.sd for cell in _cells(group, column))
            bars = style.marker(group.role) | {"elinewidth": 0.8, "capsize": 1.5, "linestyle": "none", "zorder": 3}
            ax.errorbar(point[0], point[1], xerr=across, yerr=up, **bars)
    arrow = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "color": GREY, "linewidth": 0.7}
    for path in _paths(found, column).values():
        for start, end in pairwise(path):
            ax.annotate("", xy=end, xytext=start, arrowprops=arrow | {"shrinkA": 4, "shrinkB": 4}, zorder=2)
    ax.margins(x=0.14, y=0.14)


def _label(ax: Axes, found: Sequence[Group], column: str, source: dict[str, str]) -> None:
    paths = _paths(found, column)
    points = [point for path in paths.values() for ends in pairwise(path) for point in _between(*ends)]
    points += [point for group in found for point in _bars(group, column)]
    points += [(1.0, float(y)) for y in np.linspace(*ax.get_ylim(), 60)]
    place(ax, [*_task_labels(paths, source), *_beta_labels(found, column)], points)


def _task_labels(paths: dict[str, list[Point]], source: dict[str, str]) -> list[Label]:
    all_of_them = frames.all_synthetic(source)
    labels = []
    for task, path in paths.items():
        mark = f"\n{frames.STAND_IN.strip()}" if source[task] == "synthetic" and not all_of_them else ""
        # With several beta_R the vicious points have labels of their own.
        near = path[:2] if len(path) == 2 else path[:1]
        anchors = [*near, *(_between(*ends)[_ALONG_ARROW // 2] for ends in pairwise(path[:2]))]
        labels.append(Label(style.plain(frames.title(task)) + mark, tuple(anchors)))
    return labels


def _beta_labels(found: Sequence[Group], column: str) -> list[Label]:
    vicious = [group for group in found if group.role == "vicious"]
    if len({group.beta_r for group in vicious}) < 2:
        return []
    points = ((group, _point(group, column)) for group in vicious)
    return [Label(f"{BETA} = {group.beta_r:g}", (point,)) for group, point in points if point is not None]


def _paths(found: Sequence[Group], column: str) -> dict[str, list[Point]]:
    """The points that exist of each task: honest, then vicious by growing beta_R."""
    paths: dict[str, list[Point]] = {}
    for group in found:
        point = _point(group, column)
        if point is not None:
            paths.setdefault(group.task, []).append(point)
    return paths


def _cells(group: Group, column: str) -> tuple[OverSeeds, OverSeeds]:
    return group.over_seeds(column), group.over_seeds("accuracy", 100.0)


def _point(group: Group, column: str) -> Point | None:
    """Risk and accuracy (%), None where no seed succeeded."""
    risk, accuracy = _cells(group, column)
    return (risk.mean, accuracy.mean) if math.isfinite(risk.mean) and math.isfinite(accuracy.mean) else None


def _between(start: Point, end: Point) -> list[Point]:
    return [(float(x), float(y)) for x, y in np.linspace(start, end, _ALONG_ARROW)]


def _bars(group: Group, column: str) -> list[Point]:
    """Points along the error bars; the mean alone where there are none."""
    point = _point(group, column)
    if point is None:
        return []
    across, up = (0.0 if math.isnan(cell.sd) else cell.sd for cell in _cells(group, column))
    x, y = point
    steps = [float(step) for step in np.linspace(-1, 1, 7)]
    return [(x + step * across, y) for step in steps] + [(x, y + step * up) for step in steps]


def _legend(found: Sequence[Group]) -> list[Line2D]:
    words = {"honest": "honest, post-hoc attack", "vicious": "vicious"}
    there = {group.role for group in found}
    handles = [style.role_handle(role, label) for role, label in words.items() if role in there]
    return [*handles, style.mean_image_handle()]
