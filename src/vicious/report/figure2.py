"""Figure 2: accuracy against reconstruction risk, from the post-hoc attack on honest models to vicious ones."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.report import frames
from vicious.report.frames import Cell, Group
from vicious.report.labels import Label, place
from vicious.report.style import (
    ALL_SYNTHETIC,
    BETA,
    COLOURS,
    DOUBLE,
    GREY,
    RISK,
    RISK95,
    SMALL,
    marker,
    new_figure,
    plain,
    role_handle,
    style,
)

Point = tuple[float, float]

_COLUMNS = {"risk": f"reconstruction risk {RISK}", "risk95": f"reconstruction risk {RISK95}"}
_PERCENT = 100.0
_ALONG_ARROW = 12
"""Points of each arrow that labels keep clear of."""
_DASHED = (0, (4, 2))


def figure2(summary: pd.DataFrame, expected_seeds: int | None = None) -> Figure:
    """Draw accuracy (%) against R and R95, means over seeds with standard deviations as bars.

    A panel for each of R and R95, and a line of panels for each kind of outputs.

    Raises:
        DataError: a column is missing, or there is no post-hoc or joint attack.
        MixedResultsError: the rows mix configurations.
    """
    frames.check_summary(summary)
    found = frames.groups(summary, expected_seeds)
    kinds = list(dict.fromkeys(group.outputs for group in found))
    source = frames.sources(summary)
    with style():
        figure = new_figure(DOUBLE, 0.55 + 2.6 * len(kinds))
        axes = np.asarray(figure.subplots(len(kinds), 2, sharey="row", squeeze=False))
        panels = [
            (ax, [group for group in found if group.outputs == kind], column)
            for line, kind in zip(axes, kinds, strict=False)
            for ax, column in zip(line, _COLUMNS, strict=True)
        ]
        for ax, here, column in panels:
            _draw(ax, here, column)
            ax.set_xlabel(f"{_COLUMNS[column]}\n({_seeds(here)}; {RISK} has no unit)")
            ax.set_title(f"outputs: {here[0].outputs}" if len(kinds) > 1 else "")
        for ax in axes[:, 0]:
            ax.set_ylabel("test accuracy (%)")
        heading = ALL_SYNTHETIC if frames.all_synthetic(source) else None
        figure.legend(handles=_legend(), title=heading, loc="outside upper center", ncols=3, handletextpad=0.5)
        _note(figure, found)
        # The layout must be final before free places for labels can be found.
        figure.draw_without_rendering()
        for ax, here, column in panels:
            _label(ax, here, column, source)
    return figure


def caption(summary: pd.DataFrame, expected_seeds: int | None = None) -> str:
    """The caption, with the settings used and what failed."""
    failed = frames.failures(frames.groups(summary, expected_seeds))
    note = f" Without a result: {'; '.join(failed)}." if failed else ""
    return (
        "Test accuracy against reconstruction risk: left the published R, right R95, on the leading components that "
        "explain 95% of the variance. Arrows lead from the post-hoc attack on honest models to the attack trained "
        "together with vicious models, by growing beta_R where there are several. Means over seeds; bars: standard "
        "deviation, none for a single seed. Vertical line: R = 1, guessing the mean image; further right is worse for "
        f"privacy. {frames.settings(summary, expected_seeds)}{note}"
    )


def _draw(ax: Axes, found: Sequence[Group], column: str) -> None:
    ax.axvline(1.0, color=GREY, linewidth=0.8, linestyle=_DASHED, zorder=0)
    for group in found:
        _draw_point(ax, group, column)
    for path in _paths(found, column).values():
        for start, end in pairwise(path):
            arrow = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "color": GREY, "linewidth": 0.7}
            ax.annotate("", xy=end, xytext=start, arrowprops=arrow | {"shrinkA": 4, "shrinkB": 4}, zorder=2)
    ax.margins(x=0.14, y=0.14)


def _draw_point(ax: Axes, group: Group, column: str) -> None:
    point = _point(group, column)
    if point is not None:
        across, up = (None if math.isnan(cell.sd) else cell.sd for cell in _cells(group, column))
        bars = marker(group.role) | {"elinewidth": 0.8, "capsize": 1.5, "linestyle": "none", "zorder": 3}
        ax.errorbar(point[0], point[1], xerr=across, yerr=up, **bars)


def _label(ax: Axes, found: Sequence[Group], column: str, source: dict[str, str]) -> None:
    paths = _paths(found, column)
    points = [point for path in paths.values() for ends in pairwise(path) for point in _between(*ends)]
    points += [point for group in found for point in _bars(group, column)]
    points += [(1.0, float(y)) for y in np.linspace(*ax.get_ylim(), 60)]
    place(ax, [*_dataset_labels(paths, source), *_beta_labels(found, column)], points)


def _dataset_labels(paths: dict[str, list[Point]], source: dict[str, str]) -> list[Label]:
    once = frames.all_synthetic(source)
    labels = []
    for dataset, path in paths.items():
        mark = "\n(synthetic stand-in)" if source[dataset] == "synthetic" and not once else ""
        # With several beta_R the vicious points have labels of their own.
        near = path[:2] if len(path) == 2 else path[:1]
        anchors = [*near, *(_between(*ends)[_ALONG_ARROW // 2] for ends in pairwise(path[:2]))]
        labels.append(Label(plain(frames.title(dataset)) + mark, tuple(anchors)))
    return labels


def _beta_labels(found: Sequence[Group], column: str) -> list[Label]:
    vicious = [group for group in found if group.role == "vicious"]
    if len({group.beta_r for group in vicious}) < 2:
        return []
    points = ((group, _point(group, column)) for group in vicious)
    return [Label(f"{BETA} = {group.beta_r:g}", (point,)) for group, point in points if point is not None]


def _paths(found: Sequence[Group], column: str) -> dict[str, list[Point]]:
    """The points that exist of each dataset: honest, then vicious by growing beta_R."""
    paths: dict[str, list[Point]] = {}
    for group in found:
        point = _point(group, column)
        if point is not None:
            paths.setdefault(group.dataset, []).append(point)
    return paths


def _cells(group: Group, column: str) -> tuple[Cell, Cell]:
    return group.cell(column), group.cell("accuracy", _PERCENT)


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


def _seeds(found: Sequence[Group]) -> str:
    counts = sorted({group.cell("risk").ok for group in found} - {0})
    if not counts:
        return "no seed succeeded"
    if counts == [1]:
        return "n = 1 seed"
    span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"mean ± s.d. over n = {span} seeds"


def _legend() -> list[Line2D]:
    return [
        role_handle("honest", "honest, post-hoc attack"),
        role_handle("vicious", "vicious"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=_DASHED, label=f"mean image ({RISK} = 1)"),
    ]


def _note(figure: Figure, found: Sequence[Group]) -> None:
    """Name the groups with failed seeds below the panels: what is not drawn must not vanish."""
    failed = [
        f"{plain(group.label)}: {cell.failed} of {cell.total} seeds".replace("beta_R", BETA)
        for group, cell in ((group, group.cell("risk")) for group in found)
        if cell.failed
    ]
    if failed:
        figure.supxlabel("Failed: " + ";\n".join(failed), fontsize=SMALL, color=COLOURS["vicious"])
