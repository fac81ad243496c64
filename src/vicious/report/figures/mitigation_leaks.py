"""What an attack reads of what the user sends, by mitigation."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.report import frames, mitigations, style
from vicious.report.frames import PERCENT
from vicious.report.mitigations import LABEL, NAMES, Treated
from vicious.report.style import DASHED, DOUBLE, GREY, PALE, SINGLE, SMALL
from vicious.report.text import ABOUT_SEEDS, Text, counts
from vicious.results.schema import SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "mitigations"
_COLUMNS = 3
"""Panels side by side."""
_LINE = 0.135  # inches a row
_LOOKS: dict[str, dict[str, Any]] = {
    "honest": style.marker("honest"),
    "vicious": style.marker("vicious"),
    "aware": style.marker("vicious") | {"marker": "D", "markersize": 4.5, "markerfacecolor": "white"},
}
"""The marker of each server (:data:`mitigations.SERVERS`)."""


@style.applied()
def draw(summary: pd.DataFrame) -> Figure:
    """Draw the PSNR (dB) of the attack, means over seeds with standard deviations as bars: a panel for each dataset,
    and in it a row for each kind of outputs, those that vicious models leak most by above."""
    found = mitigations.treated(summary)
    rows = order(found)
    panels = _by_task(found)
    groups = mitigations.groups(found)
    source = {group.task: str(group.rows["source"].iloc[0]) for group in groups}
    columns = min(_COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    wide = columns > 1
    around: dict[str, Any] = {
        "failed": frames.failed_seeds(groups),
        "handles": _legend(found),
        "titles": [style.once(source), frames.attack_line(summary)],
        "width": DOUBLE if wide else SINGLE,
        "across": 4 if wide else 2,
    }
    height = 0.2 + lines * (0.6 + _LINE * (len(rows) + 1))
    with style.page(lines, columns, height, sharey=True, **around) as (figure, axes):
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax, (task, here) in zip(axes.flat, panels.items(), strict=False):
            _draw(ax, here, rows)
            ax.set_title(style.heading(task, source), loc="left", pad=4)
            ax.text(1.02, 1.0, "acc.", transform=ax.transAxes, ha="left", va="bottom", fontsize=SMALL, color=GREY)
        for ax in axes.flat[max(0, len(panels) - columns) : len(panels)]:
            ax.set_xlabel(f"PSNR (dB)\n({frames.spread(groups)})")
    return figure


def text(summary: pd.DataFrame) -> Text:
    found = mitigations.treated(summary)
    groups = mitigations.groups(found)
    dashed = "Dashed: what the predicted label alone tells. " if _has_labels(found) else ""
    return Text(
        "What is reconstructed of the images from what a user sends, by "
        f"{mitigations.attack_words(summary)}: PSNR (dB). Further right is worse for privacy. {dashed}Acc.: accuracy "
        f"of what is sent. {counts(groups)}",
        (
            frames.about_best(summary),
            mitigations.servers(found),
            "Rows are sorted. At the top is what leaks most from vicious models: by PSNR above the mean of a dataset's "
            "rows, on average over datasets. Where two vicious servers are shown, the one counts that leaks more.",
            "Accuracy and the dashed line are of the vicious server trained for logits; if several classes share the "
            "largest value that is sent, one of them is guessed.",
            mitigations.meanings(found),
            ABOUT_SEEDS,
            frames.conditions(summary, accuracy=True, found=groups),
        ),
        frames.failures(groups),
    )


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(SUMMARY, summary)
    return style.write_figure(out, draw(frame), text(frame))


def order(found: Sequence[Treated]) -> list[str]:
    """The kinds of outputs, from what vicious models leak most by to what they leak least by; those without a result
    last.

    It goes by PSNR above the mean of all kinds, on average over the datasets where a kind has a result: so it does not
    matter in which datasets that is.
    """
    above: dict[str, list[float]] = {name: [] for name in sorted({one.outputs for one in found}, key=mitigations.rank)}
    for here in _by_task(found).values():
        known = {name: worst for name, one in here.items() if math.isfinite(worst := one.worst("psnr"))}
        for name, worst in known.items():
            above[name].append(worst - fmean(known.values()))
    return sorted(above, key=lambda name: -fmean(above[name]) if above[name] else math.inf)


def _by_task(found: Sequence[Treated]) -> dict[str, dict[str, Treated]]:
    """The kinds of outputs of each task, by name."""
    tasks: dict[str, dict[str, Treated]] = {}
    for one in found:
        tasks.setdefault(one.task, {})[one.outputs] = one
    return tasks


def _has_labels(found: Sequence[Treated]) -> bool:
    """Whether some panel has a line for labels."""
    return any(_of_label(here) is not None for here in _by_task(found).values())


def _of_label(here: Mapping[str, Treated]) -> float | None:
    """PSNR of the attack on a task's labels; None without a result."""
    mean = here[LABEL].vicious.over_seeds("psnr").mean if LABEL in here else math.nan
    return mean if math.isfinite(mean) else None


def _draw(ax: Axes, here: Mapping[str, Treated], rows: Sequence[str]) -> None:
    ax.set_yticks(range(len(rows)), [mitigations.title(name) for name in rows])
    ax.set_ylim(len(rows) - 0.5, -0.7)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ends: list[float] = []
    for place, name in enumerate(rows):
        if name in here:
            ends += (there := _row(ax, here[name], place))
            if not there:
                look: dict[str, Any] = {"fontsize": SMALL, "color": GREY, "va": "center"}
                ax.text(0.02, place, "failed", transform=ax.get_yaxis_transform(), **look)
    if not ends:
        ax.set_xticks([])
        return
    margin = 0.06 * max(max(ends) - min(ends), 0.1)
    ax.set_xlim(min(ends) - margin, max(ends) + margin)
    if (label := _of_label(here)) is not None:
        ax.axvline(label, color=GREY, linewidth=0.8, linestyle=DASHED, zorder=1)


def _row(ax: Axes, one: Treated, place: int) -> list[float]:
    """The marks of one row, on a thin line from the first to the last, and its accuracy; where they end (dB)."""
    ends = []
    for server, group in one.groups.items():
        cell = group.over_seeds("psnr")
        if math.isfinite(cell.mean):
            sd = cell.sd if math.isfinite(cell.sd) else 0.0
            look = _LOOKS[server] | {"linestyle": "none", "elinewidth": 0.8, "zorder": 3}
            ax.errorbar(cell.mean, place, xerr=sd or None, **look)
            ends += [cell.mean - sd, cell.mean + sd]
    if ends:
        ax.plot([min(ends), max(ends)], [place, place], color=PALE, linewidth=0.7, zorder=2)
    accuracy = one.vicious.over_seeds("accuracy", PERCENT).mean
    if math.isfinite(accuracy):
        words: dict[str, Any] = {"va": "center", "ha": "left", "fontsize": SMALL, "color": GREY}
        ax.text(1.02, place, f"{accuracy:.1f}%", transform=ax.get_yaxis_transform(), **words)
    return ends


def _legend(found: Sequence[Treated]) -> list[Line2D]:
    there = {server for one in found for server, group in one.groups.items() if group.planned}
    handles = [
        Line2D([], [], linestyle="none", label=NAMES.get(server, server), **look)
        for server, look in _LOOKS.items()
        if server in there
    ]
    if _has_labels(found):
        handles.append(Line2D([], [], color=GREY, linewidth=0.8, linestyle=DASHED, label="predicted label alone"))
    return handles
