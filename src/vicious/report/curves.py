"""Accuracy and reconstruction along one quantity: beta_R, attributes of CelebA, or classes.

A row of panels for each dataset, a panel for each measure, a curve for each role and kind of outputs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vicious.report import frames, style
from vicious.report.frames import Group
from vicious.report.style import COLOURS, DASHED, GREY, RISK, RISK95, SMALL
from vicious.report.text import UNITS, Text, about, best_attack, counts
from vicious.results.schema import SUMMARY, check_table, read_table
from vicious.study.artifacts import Destination
from vicious.study.grid import Role

_PANELS = {"accuracy": "accuracy (%)", "psnr": "PSNR (dB)", "ssim": "SSIM", "risk": RISK, "risk95": RISK95}
_SCALES = {"accuracy": 100.0}
_RISKS = ("risk", "risk95")
_ROLES: tuple[Role, ...] = ("honest", "vicious")
_LINES = {"logits": "solid", "softmax": (0, (1.2, 1.2))}
_FAILED_AT = 0.04  # where crosses of failed points stand, as a share of the panel's height
_TICKS_APART = 0.24  # least distance of two numbers below a panel, as a share of the axis


@dataclass(frozen=True)
class Subject:
    """What tells the figures apart.

    Attributes:
        x: what a group's place on the horizontal axis is.
        label: of the horizontal axis; short, since every panel of the last row carries it.
        level: honest models have no place on the axis, and are drawn as a horizontal line.
    """

    x: Callable[[Group], float]
    label: str
    level: bool
    caption: str
    note: str = ""


def outputs_of(group: Group) -> float:
    """The number of outputs of a group's models; NaN where nothing was run."""
    return float(group.k or math.nan)


@style.applied()
def draw(subject: Subject, summary: pd.DataFrame) -> Figure:
    """Draw accuracy, PSNR, SSIM, R and R95 of honest and vicious models: means over seeds, standard deviations as bars.

    Autoencoders are left out. Raises as :func:`vicious.report.frames.groups`.
    """
    shown = _shown(summary)
    found = frames.groups(shown)
    datasets = list(dict.fromkeys(group.dataset for group in found))
    source = {group.dataset: str(group.rows["source"].iloc[0]) for group in found}
    around: dict[str, Any] = {"handles": _legend(subject, found, frames.model_words(shown))}
    around["titles"] = style.once(source), frames.attack_line(shown), frames.spread(found)
    around["failed"] = frames.failed_seeds(found)
    shape = len(datasets), len(_PANELS), 0.5 + 1.05 * len(datasets)
    with style.page(*shape, sharex="row", **around) as (figure, axes):
        for line, dataset in zip(axes, datasets, strict=True):
            here = [group for group in found if group.dataset == dataset]
            for ax, measure in zip(line, _PANELS, strict=True):
                _draw(ax, subject, here, measure)
            _scale(line[0], [subject.x(group) for group in here if not (subject.level and group.role == "honest")])
            line[0].set_ylabel(style.short_heading(dataset, source), fontsize=SMALL)
        for top, bottom, words in zip(axes[0], axes[-1], _PANELS.values(), strict=True):
            top.set_title(words, pad=4)
            bottom.set_xlabel(subject.label, labelpad=2)
    return figure


def text(subject: Subject, summary: pd.DataFrame) -> Text:
    shown = _shown(summary)
    found = frames.groups(shown)
    return Text(
        f"{subject.caption}{best_attack(shown)} {counts(found)} {UNITS}",
        (
            subject.note,
            frames.about_best(shown),
            f"Dashed: R = 1.{' A cross: no seed has a result.' if _lost(found) else ''}",
            *about(shown),
        ),
        frames.failures(found),
    )


def write_curves(subject: Subject, summary: Path, out: Destination) -> tuple[Path, ...]:
    frame = read_table(SUMMARY, summary)
    return style.write_figure(out, draw(subject, frame), text(subject, frame))


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    check_table(SUMMARY, summary)
    return summary.loc[summary["role"].isin(_ROLES)]


def _lost(found: Iterable[Group]) -> bool:
    return any(group.planned and not group.over_seeds("risk").ok for group in found)


def _draw(ax: Axes, subject: Subject, found: Sequence[Group], measure: str) -> None:
    if measure in _RISKS:
        ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle=DASHED, zorder=0)
    for role, outputs in dict.fromkeys((group.role, group.outputs) for group in found):
        here = [group for group in found if (group.role, group.outputs) == (role, outputs)]
        if subject.level and role == "honest":
            _draw_level(ax, here[0], measure)
        else:
            _draw_curve(ax, sorted(here, key=subject.x), subject, measure)
    ax.margins(x=0.1, y=0.12)
    ax.set(xlabel="", ylabel="")
    known = any(group.over_seeds(measure).ok for group in found)
    ax.yaxis.set_major_locator(MaxNLocator(4) if known else NullLocator())
    ax.tick_params(pad=2)


def _draw_level(ax: Axes, group: Group, measure: str) -> None:
    cell, colour = group.over_seeds(measure, _SCALES.get(measure, 1.0)), COLOURS["honest"]
    if cell.total and not cell.ok:  # left of and above the crosses of points
        ax.plot(_FAILED_AT, 3 * _FAILED_AT, transform=ax.transAxes, zorder=4, **_cross(colour))
    if math.isfinite(cell.mean):
        ax.axhline(cell.mean, color=colour, linewidth=1.0, linestyle=_LINES.get(group.outputs, "solid"), zorder=1)
    if math.isfinite(cell.sd):
        ax.axhspan(cell.mean - cell.sd, cell.mean + cell.sd, color=colour, alpha=0.2, linewidth=0, zorder=0.5)


def _draw_curve(ax: Axes, found: Sequence[Group], subject: Subject, measure: str) -> None:
    """Means with bars; a point without any result is a cross at the foot, and breaks the line."""
    role = found[0].role
    look = {"err_style": "bars", "err_kws": {"elinewidth": 0.8, "capsize": 1.5, "zorder": 3}, "linewidth": 0.9}
    look |= {"zorder": 3, **_look(role, found[0].outputs)}
    for values in _unbroken(found, subject, measure):
        errors = "sd" if values["x"].duplicated().any() else None
        sns.lineplot(values, x="x", y="y", legend=False, ax=ax, errorbar=errors, **look)
    lost = [subject.x(group) for group in found if group.planned and not group.over_seeds(measure).ok]
    ax.plot(lost, [_FAILED_AT] * len(lost), transform=ax.get_xaxis_transform(), zorder=4, **_cross(COLOURS[role]))


def _unbroken(found: Sequence[Group], subject: Subject, measure: str) -> Iterator[pd.DataFrame]:
    """The values of all seeds, ``y`` at ``x``, in parts between points that have none or none that is finite."""
    part: list[pd.DataFrame] = []
    for group in found:
        ok = group.rows.loc[group.rows["status"] == "ok", measure].astype(float) * _SCALES.get(measure, 1.0)
        if len(ok.dropna()) and np.isfinite(ok.dropna()).all():
            part.append(pd.DataFrame({"x": subject.x(group), "y": ok.dropna()}))
        elif part:
            yield pd.concat(part)
            part = []
    if part:
        yield pd.concat(part)


def _look(role: str, outputs: str) -> dict[str, Any]:
    return style.marker(role, outputs != "softmax") | {"markersize": 3.5, "linestyle": _LINES.get(outputs, "solid")}


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


def _legend(subject: Subject, found: Sequence[Group], words: Mapping[Role, str]) -> list[Line2D]:
    kinds = list(dict.fromkeys(group.outputs for group in found))
    handles = []
    for role, outputs in dict.fromkeys((group.role, group.outputs) for group in found):
        look = _look(role, outputs) | ({"marker": "none"} if subject.level and role == "honest" else {})
        label = words[role] + (f" ({outputs})" if len(kinds) > 1 else "")
        handles.append(Line2D([], [], linewidth=0.9, label=label, **look))
    handles.append(style.mean_image_handle())
    if _lost(found):
        handles.append(Line2D([], [], label="failed", **_cross(GREY)))
    return handles
