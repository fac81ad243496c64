"""How R and R95 are distributed over test images, honest models against vicious ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vicious.report import frames, style
from vicious.report.frames import Group
from vicious.report.style import BETA, COLOURS, DASHED, GREY, RISK, RISK95
from vicious.report.text import ABOUT_RISK, ABOUT_RISK95, Text, counts
from vicious.results.assessments import Assessment, read_assessments
from vicious.results.summaries import collect
from vicious.study.artifacts import Destination
from vicious.study.grid import Role

EXPERIMENT = "main"
Array = NDArray[np.float64]
MEASURES = {"risk": RISK, "risk95": RISK95}
ROLES: tuple[Role, ...] = ("honest", "vicious")
VIEW = 0.995  # quantile at which each axis ends; its complement is where it begins
_WIDE = 2.5  # ratio of its ends from which an axis has round numbers of several magnitudes
_MAGNITUDES = (
    (*(0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5), 10),
    (*(0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100), 1000),
    (0.001, 0.01, 0.1, 1, 10, 100, 1000),
)
"""Round numbers for wide axes, the finest first."""
_MOST_TICKS = 7


@dataclass(frozen=True)
class Row:
    """The two groups of one task: the first kind of outputs, the smallest beta_R.

    ``values`` are those of the test images of all seeds, (n,), by role and measure; none where all seeds failed.
    """

    task: str
    groups: dict[Role, Group]
    values: dict[tuple[str, str], Array]


def load_rows(found: Sequence[Assessment], summary: pd.DataFrame) -> list[Row]:
    by_key = {one.key: one for one in found}
    rows: list[Row] = []
    for task in frames.sources(summary):
        here = [group for group in frames.groups(summary) if group.task == task]
        chosen = {group.role: group for group in reversed(here) if group.outputs == here[0].outputs}
        groups = {role: chosen[role] for role in ROLES if role in chosen}
        values: dict[tuple[str, str], Array] = {}
        for role, group in groups.items():
            seeds = [one.images(list(MEASURES)) for one in group.assessments(by_key)]
            values |= {(role, name): pd.concat(seeds)[name].to_numpy() for name in MEASURES if seeds}
        rows.append(Row(task, groups, values))
    return rows


@style.applied()
def draw(rows: Sequence[Row], summary: pd.DataFrame) -> Figure:
    """Draw a panel for R and one for R95: for each task the honest models' density upwards, the vicious ones'
    downwards; ``summary`` is that of the same assessments."""
    source = frames.sources(summary)
    around: dict[str, Any] = {"failed": frames.failed_seeds(_groups(rows)), "gridspec_kw": {"wspace": 0.06}}
    around |= {"handles": _legend(rows, frames.model_words(summary))}
    around["titles"] = style.once(source), frames.attack_line(summary)
    with style.page(len(rows), 2, 0.6 + 0.85 * len(rows), **around) as (figure, axes):
        for line, row in zip(axes, rows, strict=True):
            for ax, measure in zip(line, MEASURES, strict=True):
                _draw(ax, row, measure)
            line[0].set_ylabel(style.short_heading(row.task, source), rotation=0, ha="right", va="center")
        for ax, title in zip(axes[-1], MEASURES.values(), strict=True):
            ax.set_xlabel(f"{title} of a test image (no unit, log scale)")
    return figure


def text(rows: Sequence[Row], summary: pd.DataFrame) -> Text:
    groups = _groups(rows)
    used = summary.loc[sorted(index for group in groups for index in group.rows.index)]
    below = {
        row.task: [100 * (row.values[role, "risk"] < 1).mean() for role in ROLES if (role, "risk") in row.values]
        for row in rows
    }
    shares = "; ".join(
        f"{frames.title(task)} {' and '.join(f'{share:.0f}%' for share in both)}"
        for task, both in below.items()
        if len(both) == 2
    )
    attacks = frames.attack_words(summary)
    images = counts(groups).partition("; ")[2]
    return Text(
        "Distribution of the reconstruction risk over test images, the seeds together: above each line the "
        f"{attacks['honest']} on honest models, below it the {attacks['vicious']} on vicious ones. Left: R; right: R95 "
        "(no unit, log scale). "
        f"{frames.spread(groups).removeprefix('mean ± s.d. over ')}{f'; {images}' if images else '.'}",
        (
            frames.about_best(summary),
            "Dashed: median and quartiles; grey: R = 1. Densities, of log R over all images, have one height; "
            f"each panel has its own scale, from the {100 * (1 - VIEW):g}% to the {100 * VIEW:g}% quantile.",
            f"R is {frames.risk_words(used)}. {ABOUT_RISK95} {ABOUT_RISK}",
            f"Images with R < 1, honest and vicious: {shares}." if shares else "",
            frames.conditions(used, risk=True),
        ),
        frames.failures(groups),
    )


def write(assessments: Iterable[Path], out: Destination) -> tuple[Path, ...]:
    """Write the figure from the summaries of assessments (JSON); beside each stands its Parquet."""
    found = read_assessments(assessments)
    summary = collect(found)
    rows = load_rows(found, summary)
    return style.write_figure(out, draw(rows, summary), text(rows, summary))


def _groups(rows: Sequence[Row]) -> list[Group]:
    return [group for row in rows for group in row.groups.values()]


def _draw(ax: Axes, row: Row, measure: str) -> None:
    there = {role: np.maximum(row.values[role, measure], 1e-9) for role in ROLES if (role, measure) in row.values}
    if there:
        parts = [pd.DataFrame({"role": role, "value": values, "line": 0}) for role, values in there.items()]
        sns.violinplot(
            pd.concat(parts, ignore_index=True),
            **{"x": "value", "y": "line", "hue": "role", "hue_order": ROLES, "palette": COLOURS, "saturation": 1.0},
            **{"orient": "h", "split": True, "inner": "quart", "log_scale": (True, False), "legend": False, "ax": ax},
            **{"density_norm": "width", "cut": 0, "bw_method": "silverman", "width": 2.0, "linewidth": 0.5},
        )
    for role, y in zip(ROLES, (0.75, 0.25), strict=True):
        if role not in there:
            style.say(ax, "failed" if role in row.groups else "not run", 0.985, y, ha="right", color=COLOURS[role])
    ax.axvline(1.0, color=GREY, linewidth=0.8, linestyle=DASHED, zorder=4)
    ax.set_xscale("log")
    low = min([1.0, *(float(np.quantile(values, 1 - VIEW)) for values in there.values())])
    high = max([1.0, *(float(np.quantile(values, VIEW)) for values in there.values())])
    margin = max((high / low) ** 0.03, 1.001)
    ax.set(xlabel="", ylabel="", xlim=(low / margin, high * margin), ylim=(1.12, -1.12))
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


def _legend(rows: Sequence[Row], words: Mapping[Role, str]) -> list[Artist]:
    betas = sorted({row.groups["vicious"].beta_r for row in rows if "vicious" in row.groups})
    weights = f", {BETA} = {', '.join(f'{beta:g}' for beta in betas)}" if betas else ""
    return [
        Patch(color=COLOURS["honest"], label=f"{words['honest']} (upwards)", linewidth=0),
        Patch(color=COLOURS["vicious"], label=f"{words['vicious']}{weights} (downwards)", linewidth=0),
        style.mean_image_handle(),
    ]
