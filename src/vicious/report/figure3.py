"""Figure 3: how vicious each model looks to a detector."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vicious.defense.groups import standard
from vicious.report import frames
from vicious.report.style import (
    BETA,
    COLOURS,
    DOUBLE,
    GREY,
    PALE,
    SINGLE,
    SMALL,
    marker,
    new_figure,
    plain,
    role_handle,
    style,
    write_figure,
)
from vicious.study.grid import Role
from vicious.system.errors import DataError

DETECTOR = "linear_decodability"
"""The detector that the figure shows unless told otherwise."""
_ROW = 0.17
"""Height, in inches, of one line of dots."""


@dataclass(frozen=True)
class Model:
    """The scores of one trained model: mean and extremes over the draws of user images; NaN where all failed."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """All seeds of one model at one number of user images."""

    dataset: str
    role: Role
    outputs: str
    beta_r: float
    models: tuple[Model, ...]

    @property
    def failed(self) -> int:
        """Models without any score."""
        return sum(math.isnan(model.mean) for model in self.models)


def figure3(summary: pd.DataFrame, detection: pd.DataFrame, detector: str = DETECTOR) -> Figure:
    """Draw a detector's scores, a dot for each model and a panel for each number of user images.

    Args:
        summary: rows of summary.csv, for the data source of each dataset.
        detection: rows of detection.csv.
        detector: the detector to show.

    Raises:
        DataError: a column or the detector is missing.
        MixedResultsError: the rows mix configurations.
    """
    frames.check_summary(summary)
    chosen = _chosen(detection, detector)
    numbers = sorted(int(number) for number in chosen["n_user"].unique())
    panels = [rows(chosen.loc[chosen["n_user"] == number]) for number in numbers]
    layout = _Layout.of([row for panel in panels for row in panel])
    with style():
        width = SINGLE if len(numbers) == 1 and not layout.several(2) else DOUBLE
        figure = new_figure(width, max(1.6, 0.95 + _ROW * layout.height))
        axes = list(np.atleast_1d(np.asarray(figure.subplots(1, len(numbers), sharey=True, sharex=True))))
        for ax, number, panel in zip(axes, numbers, panels, strict=True):
            _draw(ax, panel, layout)
            ax.set_title(f"n = {number:,} user images", pad=4)
        _names(axes[0], layout, frames.sources(summary))
        figure.supxlabel(f"{plain(_words(detector))} ({_UNITS.get(detector, 'score')})", fontsize=8)
        figure.legend(handles=_legend(layout.keys), loc="outside upper center", ncols=4, handletextpad=0.3)
    return figure


def caption(summary: pd.DataFrame, detection: pd.DataFrame, detector: str = DETECTOR) -> str:
    """The caption, with the settings used and what failed."""
    chosen = _chosen(detection, detector)
    shown = summary.loc[summary["dataset"].isin(chosen["dataset"])]
    numbers = sorted(int(number) for number in chosen["n_user"].unique())
    failed = int((chosen["score"].isna() | (chosen["status"] != "ok")).sum())
    note = f" Failed: {failed} of {len(chosen)} scores; models without any are counted in the panels." if failed else ""
    return (
        f"Scores of the detector {_words(detector)} on honest and vicious models; higher looks more vicious. "
        "A dot for each trained model, the mean over draws of the user's images; thin lines: range over draws. "
        "n beside each name: models with a score. "
        f"User images: n = {', '.join(f'{number:,}' for number in numbers)}; draws of each: {_draws(chosen)}. "
        f"{frames.settings(shown)}{note}"
    )


def write(summary: Path, detection: Path, out: Path, detector: str | None = None) -> tuple[Path, ...]:
    """Write figure3.pdf, figure3.png and figure3.md below ``out``, and return their paths.

    Args:
        summary: the main comparison's summary.
        detection: detection.csv.
        out: folder.
        detector: the detector to show; by default :data:`DETECTOR`, or the first that there is where that was not asked for.

    Raises:
        DataError: an input is damaged or lacks a column, or there are no scores of the detector.
        MixedResultsError: an input mixes configurations.
        StorageError: a file cannot be written.
    """
    frame, scores = frames.read_summary(Path(summary)), frames.read_detection(Path(detection))
    if detector is None:
        detector = DETECTOR if DETECTOR in set(scores["detector"]) else str(scores["detector"].iloc[0])
    drawn, told = figure3(frame, scores, detector), caption(frame, scores, detector)
    return write_figure(3, drawn, told, Path(out))


def rows(detection: pd.DataFrame) -> list[Row]:
    """The rows of one panel, in catalogue order, honest before vicious, then by outputs and beta_R."""
    found: list[Row] = []
    for key, group in detection.groupby(["dataset", "role", "outputs", "beta_r"], sort=True, dropna=False):
        dataset, role, outputs, beta_r = key
        models = tuple(_model(scores) for _, scores in group.groupby("seed", sort=True))
        found.append(Row(str(dataset), cast(Role, str(role)), str(outputs), cast(float, beta_r), models))
    return sorted(found, key=lambda row: _order(_key(row)))


def _model(scores: pd.DataFrame) -> Model:
    values = scores.loc[scores["status"] == "ok", "score"].dropna().to_numpy(dtype=float)
    if not len(values):
        return Model(math.nan, math.nan, math.nan)
    return Model(float(values.mean()), float(values.min()), float(values.max()))


def _chosen(detection: pd.DataFrame, detector: str) -> pd.DataFrame:
    frames.check_detection(detection)
    chosen = detection.loc[(detection["detector"] == detector) & standard(detection)]
    if chosen.empty:
        known = ", ".join(sorted(str(name) for name in detection["detector"].unique()))
        raise DataError(f"no scores of the detector {detector}; there are: {known}: choose one of these")
    return chosen


_Key = tuple[str, Role, str, float]


@dataclass(frozen=True)
class _Layout:
    """Heights of the lines: a heading for each dataset, then a line for each of its rows, from 0 downwards."""

    headings: dict[str, float]
    lines: dict[_Key, float]
    counts: dict[_Key, str]
    height: float

    @classmethod
    def of(cls, found: Sequence[Row]) -> "_Layout":
        headings: dict[str, float] = {}
        lines: dict[_Key, float] = {}
        at = 0.0
        keys = sorted({_key(row) for row in found}, key=_order)
        for key in keys:
            if key[0] not in headings:
                at += 0.4 if headings else 0.0
                headings[key[0]] = at
                at += 1.0
            lines[key] = at
            at += 1.0
        counts = {key: _count([row for row in found if _key(row) == key]) for key in keys}
        return cls(headings, lines, counts, at)

    @property
    def keys(self) -> list[_Key]:
        """The lines, from top to bottom."""
        return list(self.lines)

    def several(self, part: int) -> bool:
        """Whether the vicious models differ in outputs (2) or beta_R (3), so that names must say which."""
        return len({key[part] for key in self.keys if key[1] == "vicious"}) > 1


def _key(row: Row) -> _Key:
    return (row.dataset, row.role, row.outputs, row.beta_r)


def _order(key: _Key) -> tuple[tuple[int, int, str], int, str, float]:
    return frames.order(key[0]), list(frames.ATTACK_OF).index(key[1]), *key[2:]


def _draw(ax: Axes, panel: Sequence[Row], layout: _Layout) -> None:
    for row in panel:
        y = layout.lines[_key(row)]
        for model in row.models:
            ax.plot([model.low, model.high], [y, y], color=COLOURS[row.role], linewidth=0.7, alpha=0.6, zorder=2)
            ax.plot(
                model.mean,
                y,
                linestyle="none",
                zorder=3,
                **marker(row.role, row.outputs != "softmax") | {"markersize": 4, "alpha": 0.85},
            )
        if row.failed == len(row.models):
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            middle = ax.get_yaxis_transform()
            ax.text(
                0.5, y, "failed", transform=middle, ha="center", va="center", fontsize=SMALL, color=GREY, bbox=paper
            )
    for y in layout.lines.values():
        ax.axhline(y, color=PALE, linewidth=0.3, zorder=0)
    ax.set_facecolor("none")
    ax.set_ylim(layout.height - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _names(ax: Axes, layout: _Layout, source: dict[str, str]) -> None:
    names = [_name(key, layout) for key in layout.keys]
    ax.set_yticks(list(layout.lines.values()), names)
    for dataset, y in layout.headings.items():
        text = plain(frames.marked_title(dataset, source.get(dataset, "")))
        # Its line is empty in all panels, so a long name may reach into the next one.
        heading = ax.text(0, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL, weight="bold")
        heading.set_in_layout(False)


def _name(key: _Key, layout: _Layout) -> str:
    _, role, outputs, beta_r = key
    details = [outputs] if layout.several(2) and outputs else []
    details += [f"{BETA} = {beta_r:g}"] if layout.several(3) and role == "vicious" else []
    return f"{', '.join([role, *details])} ({layout.counts[key]})"


def _legend(keys: Sequence[_Key]) -> list[Line2D]:
    there = {key[1] for key in keys}
    handles = [role_handle(role, words) for role, words in _MODELS.items() if role in there]
    if any(key[2] == "softmax" for key in keys):
        handles.append(role_handle("vicious", "hollow: softmax outputs", filled=False))
    return handles


def _words(detector: str) -> str:
    return detector.replace("_", " ")


_MODELS: dict[Role, str] = {"honest": "honest model", "vicious": "vicious model", "autoencoder": "autoencoder"}
_UNITS = {
    "linear_decodability": "share of the variance of the leading components\nexplained beyond the predicted label"
}


def _count(found: Sequence[Row]) -> str:
    """The number of models with a score, and of those without, over the panels."""
    failed = max(row.failed for row in found)
    scored = _span([len(row.models) - row.failed for row in found])
    if scored == "0":
        return f"{failed} failed"
    return f"n = {scored}" + (f"; {failed} failed" if failed else "")


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _draws(chosen: pd.DataFrame) -> str:
    counts = chosen.groupby(["dataset", "role", "outputs", "beta_r", "seed", "n_user"], dropna=False).size()
    return _span([int(count) for count in counts])
