"""Figure 10: how R and R95 are distributed over test images, honest models against vicious ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from vicious.report import frames
from vicious.report.frames import Group
from vicious.report.style import (
    ALL_SYNTHETIC,
    BETA,
    COLOURS,
    DOUBLE,
    GREY,
    NOTE_LINE,
    PALE,
    RISK,
    RISK95,
    SMALL,
    failure_lines,
    new_figure,
    note_failures,
    plain,
    style,
    write_figure,
)
from vicious.results.assessments import Assessment, read_assessments
from vicious.results.summaries import collect

Array = NDArray[np.float64]
MEASURES = {"risk": RISK, "risk95": RISK95}
VIEW = 0.995
"""Quantile up to which each distribution is drawn; its complement is where it begins."""
_POINTS = 256
_WIDE = 2.5
"""Ratio of its ends from which an axis has round numbers of several magnitudes."""
_MAGNITUDES = (
    (*(0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5), 10),
    (*(0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100), 1000),
    (0.001, 0.01, 0.1, 1, 10, 100, 1000),
)
"""Round numbers for wide axes, the finest first."""
_MOST_TICKS = 7
_ROW = 0.85
"""Height, in inches, of the panels of one task."""


@dataclass(frozen=True)
class Spread:
    """The distribution of one measure over the test images of all seeds of a group.

    Attributes:
        x, density: (m,), a smooth density between the quantiles of :data:`VIEW`, its largest value 1.
        quartiles: lower quartile, median, upper quartile.
        view: the two quantiles of :data:`VIEW`.
        below: share of images with a value below 1, for which guessing the mean image is better.
        values: number of values, images times seeds.
    """

    x: Array
    density: Array
    quartiles: tuple[float, float, float]
    view: tuple[float, float]
    below: float
    values: int


@dataclass(frozen=True)
class Row:
    """The two groups of one task: the first kind of outputs, the smallest beta_R; no spread where all seeds failed."""

    task: str
    outputs: str
    beta_r: float
    spreads: dict[tuple[str, str], Spread]
    """By role and measure."""


def spread(values: Array) -> Spread:
    """The distribution of some values, whose density is estimated in their logarithm.

    R is a ratio with a long right tail, so the kernel has one width in log R: Silverman's rule ("Density Estimation for
    Statistics and Data Analysis", 1986, equation 3.31), which a tail does not widen. All values count.

    Shapes: (n,), positive.
    """
    low, high = (float(end) for end in np.quantile(values, [1 - VIEW, VIEW]))
    quartiles = tuple(float(end) for end in np.quantile(values, [0.25, 0.5, 0.75]))
    x, density = _density(values, low, high)
    below = float((values < 1).mean())
    return Spread(x, density, (quartiles[0], quartiles[1], quartiles[2]), (low, high), below, len(values))


def load_rows(found: Sequence[Assessment], summary: pd.DataFrame) -> list[Row]:
    """The rows of the figure, reading one Parquet at a time; raises as :func:`write`."""
    rows: list[Row] = []
    for task in frames.sources(summary):
        here = [group for group in frames.groups(summary) if group.task == task]
        outputs = here[0].outputs
        chosen = {group.role: group for group in reversed(here) if group.outputs == outputs}
        spreads: dict[tuple[str, str], Spread] = {}
        for role in ("honest", "vicious"):
            if role in chosen:
                spreads |= {(role, name): spread(values) for name, values in _pooled(found, chosen[role]).items()}
        beta = chosen["vicious"].beta_r if "vicious" in chosen else np.nan
        rows.append(Row(task, outputs, beta, spreads))
    return rows


def figure10(rows: Sequence[Row], summary: pd.DataFrame) -> Figure:
    """Draw a panel for R and one for R95: for each task the honest models' density upwards, the vicious ones' downwards.

    Args:
        rows: from :func:`load_rows`.
        summary: rows of the summary of the same assessments.
    """
    source = frames.sources(summary)
    once = frames.all_synthetic(source)
    with style():
        failed = failure_lines(frames.failed_seeds(_groups(rows, summary)))
        figure = new_figure(DOUBLE, 0.75 + 0.15 * once + _ROW * len(rows) + NOTE_LINE * len(failed))
        axes = np.asarray(figure.subplots(len(rows), 2, squeeze=False, gridspec_kw={"wspace": 0.06}))
        for line, row in zip(axes, rows, strict=True):
            for ax, measure in zip(line, MEASURES, strict=True):
                _draw(ax, row, measure)
            mark = frames.STAND_IN.replace(" ", "\n") if source[row.task] == "synthetic" and not once else ""
            name = plain(frames.title(row.task).replace(", ", ",\n")) + mark
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, title in zip(axes[-1], MEASURES.values(), strict=True):
            ax.set_xlabel(f"{title} of a test image (no unit, log scale)")
        figure.legend(
            handles=_legend(rows),
            title=ALL_SYNTHETIC if once else None,
            loc="outside upper center",
            ncols=4,
            handletextpad=0.5,
        )
        note_failures(figure, failed)
    return figure


def caption(rows: Sequence[Row], summary: pd.DataFrame) -> str:
    """The caption, with the settings used and what failed."""
    groups = _groups(rows, summary)
    used = _used(groups, summary)
    failed = frames.failures(groups)
    note = f" Without a result: {'; '.join(failed)}." if failed else ""
    shares = "; ".join(
        f"{frames.title(row.task)} {' and '.join(f'{100 * one.below:.0f}%' for one in both)}"
        for row in rows
        if len(both := [row.spreads[role, "risk"] for role in ("honest", "vicious") if (role, "risk") in row.spreads])
        == 2
    )
    told = f" Images with R < 1, honest and vicious: {shares}." if shares else ""
    return (
        "Distribution of the reconstruction risk over test images, the seeds together: above each line the post-hoc "
        "attack on honest models, below it the attack trained with vicious ones, each scaled to the same height. "
        f"Left: {frames.risk_words(used)}; right: R95. White line: median; dark: quartiles. Dashed: R = 1, guessing the mean image; "
        f"larger is worse for privacy. Each panel has its own scale. Densities are drawn between their {100 * (1 - VIEW):g}% and {100 * VIEW:g}% "
        "quantiles; all images count in densities, which are estimated in log R, and quartiles."
        f"{told} {frames.settings(used, risk=True)}{note}"
    )


def write(assessments: Iterable[Path], out: Path) -> tuple[Path, ...]:
    """Write figure10.pdf, figure10.png and figure10.md below ``out``, and return their paths.

    Args:
        assessments: summaries of the main comparison's assessments; beside each stands its Parquet.
        out: folder.

    Raises:
        DataError: a file is missing or damaged.
        MixedResultsError: two results are of the same cell, or those of one task used different data or settings.
        StorageError: a file cannot be written.
    """
    found = read_assessments(assessments)
    summary = collect(found)
    rows = load_rows(found, summary)
    return write_figure(10, figure10(rows, summary), caption(rows, summary), Path(out))


def _pooled(found: Sequence[Assessment], group: Group) -> dict[str, Array]:
    """The measures of all test images of all seeds of a group; empty where all failed."""
    attack = frames.ATTACK_OF[group.role]
    same = [
        one.images(list(MEASURES))
        for one in found
        if one.ok
        and (one.record["task"], one.record["role"], one.record["attack"], one.record["outputs"])
        == (group.task, group.role, attack, group.outputs)
        and (group.role == "honest" or one.record["beta_r"] == group.beta_r)
    ]
    return {name: np.concatenate([frame[name].to_numpy() for frame in same]) for name in MEASURES} if same else {}


def _density(values: Array, low: float, high: float) -> tuple[Array, Array]:
    """Where, and how dense in the logarithm, between two values; its largest value is 1."""
    logs = np.log(np.maximum(values, 1e-9))
    sd = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
    quarter = float(np.subtract(*np.quantile(logs, [0.75, 0.25]))) / 1.34
    scale = min(sd, quarter) or sd
    if scale < 1e-9:
        return np.array([low * 0.99, low, low * 1.01]), np.array([0.0, 1.0, 0.0])
    kernel = gaussian_kde(logs, bw_method=0.9 * scale * len(logs) ** -0.2 / sd)
    at = np.linspace(np.log(max(low, 1e-9)), np.log(high), _POINTS)
    density = np.asarray(kernel(at))
    return np.exp(at), density / density.max()


def _draw(ax: Axes, row: Row, measure: str) -> None:
    ends = [(1.0, 1.0)]
    for role, up in (("honest", 1.0), ("vicious", -1.0)):
        one = row.spreads.get((role, measure))
        if one is None:
            text = "failed" if _planned(role, row) else "not run"
            place: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "center"}
            ax.text(0.985, up * 0.5, text, fontsize=SMALL, color=COLOURS[role], **place)
            continue
        ends.append(one.view)
        ax.fill_between(one.x, 0, up * one.density, color=COLOURS[role], alpha=0.75, linewidth=0, zorder=2)
        for quantile, colour, width in zip(
            one.quartiles, ("#1A1A1A", "white", "#1A1A1A"), (0.6, 1.1, 0.6), strict=True
        ):
            height = up * float(np.interp(quantile, one.x, one.density))
            ax.plot([quantile, quantile], [0, height], color=colour, linewidth=width, zorder=3)
    ax.axhline(0, color=PALE, linewidth=0.4, zorder=1)
    ax.axvline(1.0, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=4)
    ax.set_xscale("log")
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    margin = max((high / low) ** 0.03, 1.001)
    ax.set_xlim(low / margin, high * margin)
    ax.set_ylim(-1.12, 1.12)
    ticks = log_ticks(*ax.get_xlim())
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones, few enough to be told apart on a logarithmic axis."""
    if high / low < _WIDE:
        choices = [[round(float(tick), 9) for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)]]
    else:
        choices = [[float(tick) for tick in choice] for choice in _MAGNITUDES]
    found = [[tick for tick in choice if low <= tick <= high] for choice in choices]
    return next((ticks for ticks in found if 2 <= len(ticks) <= _MOST_TICKS), found[-1])


def _planned(role: str, row: Row) -> bool:
    return role == "honest" or not np.isnan(row.beta_r)


def _groups(rows: Sequence[Row], summary: pd.DataFrame) -> list[Group]:
    """The groups that the rows show."""
    shown = {(row.task, row.outputs): row.beta_r for row in rows}
    return [
        group
        for group in frames.groups(summary)
        if (group.task, group.outputs) in shown
        and (group.role == "honest" or (group.role == "vicious" and group.beta_r == shown[group.task, group.outputs]))
    ]


def _used(groups: Sequence[Group], summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of a summary that belong to some groups."""
    return summary.loc[sorted(index for group in groups for index in group.rows.index)]


def _legend(rows: Sequence[Row]) -> list[Patch | Line2D]:
    betas = sorted({row.beta_r for row in rows if not np.isnan(row.beta_r)})
    told = f", {BETA} = {', '.join(f'{beta:g}' for beta in betas)}" if betas else ""
    return [
        Patch(color=COLOURS["honest"], alpha=0.75, linewidth=0, label="honest, post-hoc (upwards)"),
        Patch(color=COLOURS["vicious"], alpha=0.75, linewidth=0, label=f"vicious{told} (downwards)"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), label=f"mean image ({RISK} = 1)"),
    ]
