"""Figure 9: how often R orders reconstructions as PSNR and SSIM do, under every estimator of the covariance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from vicious.report import frames
from vicious.report.frames import PUBLISHED
from vicious.report.style import (
    ALL_SYNTHETIC,
    DOUBLE,
    GREY,
    NOTE_LINE,
    PALE,
    RISK95,
    SMALL,
    failure_lines,
    new_figure,
    note_failures,
    plain,
    style,
    write_figure,
)
from vicious.report.table5 import REFERENCES, check_agreement, name, read_agreement, settings

# None of them is the colour of a role.
_LOOKS = (
    ("#000000", "o"),
    ("#E69F00", "s"),
    ("#56B4E9", "D"),
    ("#CC79A7", "^"),
    ("#7A6A00", "v"),
    ("#882255", "P"),
)
_KIND_TITLES = {
    "share": "leading components by share of variance",
    "truncated": "eigenvalue cut-off, times d pixels and the largest",
    "ridge": "ridge, in mean variances",
    "ledoit_wolf": "other",
    "identity": "other",
    "psnr": "other",
}
_HEADLINE = {PUBLISHED: " (published)", "share 0.95": f" ({RISK95})"}
_TITLES = {"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS"}
_ROW = 0.152
"""Height, in inches, of one line of dots."""
_DODGE = 0.62
"""Share of a line's height over which the tasks' dots are spread."""


def figure9(agreement: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw the agreement of each estimator with each reference: a line for each estimator, a dot for each task.

    Args:
        agreement: rows of agreement.csv.
        summary: rows of the main comparison's summary, for the data source and what failed.

    Raises:
        DataError: a column is missing.
        MixedResultsError: the rows mix configurations.
    """
    frames.check_summary(summary)
    check_agreement(agreement)
    source = frames.sources(summary)
    found = settings(agreement)
    references = _references(agreement)
    paired = set(agreement.loc[agreement["pairs"] > 0, "task"])
    drawn = [task for task in source if task in paired]
    heights, headings = _layout(found)
    with style():
        height = max([*heights.values(), 1.0]) + 1
        failed = failure_lines([*_without(agreement, source), *frames.failed_seeds(frames.groups(summary))])
        figure = new_figure(DOUBLE, 1.0 + _ROW * (height + 1) + NOTE_LINE * len(failed))
        axes = list(np.asarray(figure.subplots(1, len(references), sharey=True, squeeze=False)).ravel())
        for ax, reference in zip(axes, references, strict=True):
            _draw(ax, agreement.loc[agreement["reference"] == reference], heights, drawn)
            ax.set_xlabel(f"pairs ordered as {_TITLES.get(reference, reference)} does (share)")
            ax.set_ylim(height - 0.3, -0.7)
        _names(axes[0], found, heights, headings)
        once = frames.all_synthetic(source)
        figure.legend(
            handles=_legend(drawn, source, once),
            title=ALL_SYNTHETIC if once else None,
            loc="outside upper center",
            ncols=3,
            handletextpad=0.3,
        )
        note_failures(figure, failed)
    return figure


def caption(agreement: pd.DataFrame, summary: pd.DataFrame) -> str:
    """The caption, with the settings used and what failed."""
    groups = frames.groups(summary)
    failed = [*frames.failures(groups), *_without(agreement, frames.sources(summary))]
    note = f" Without a result: {'; '.join(failed)}." if failed else ""
    counts = agreement.loc[agreement["models"] > 0].drop_duplicates("task")
    references = ", ".join(_TITLES.get(reference, reference) for reference in _references(agreement))
    pairs = "; ".join(
        f"{_counted(row['pairs'], 'pair')} of {_counted(row['models'], 'attack')} ({frames.title(row['task'])})"
        for row in counts.to_dict("records")
    )
    return (
        "Which R to trust: share of (test image, pair of attacks' reconstructions of it) that R orders as a measure of "
        f"image quality does (left to right: {references}), for each estimator of the covariance's inverse; ties count half. Pairs are of all attacks on "
        "the same task and seed: post-hoc on honest models, vicious models, autoencoders. Dashed line: 0.5, chance; "
        "left of it R calls the worse reconstruction the riskier one more often than not. Bold: the published R "
        f"(cut-off 1.2e-07 d) and R95 (share 0.95).{frames.risk_elsewhere(summary)} Last line: PSNR in place of R, to tell how far these measures agree. Attacks over all seeds: {pairs or 'none'}. "
        f"{frames.settings(summary, risk=True)}{note}"
    )


def write(agreement: Path, summary: Path, out: Path) -> tuple[Path, ...]:
    """Write figure9.pdf, figure9.png and figure9.md below ``out``, and return their paths.

    Args:
        agreement: agreement of each estimator with image quality.
        summary: the main comparison's summary.
        out: folder.

    Raises:
        DataError: an input is damaged or lacks a column.
        MixedResultsError: an input mixes configurations.
        StorageError: a file cannot be written.
    """
    rows = frames.read_summary(Path(summary))
    found = read_agreement(Path(agreement))
    return write_figure(9, figure9(found, rows), caption(found, rows), Path(out))


def _counted(count: float, noun: str) -> str:
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def _references(agreement: pd.DataFrame) -> list[str]:
    """PSNR and SSIM, and what else there is."""
    return [*REFERENCES, *sorted(set(agreement["reference"]) - set(REFERENCES))]


def _layout(found: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Heights of the estimators' lines and of the headings above each kind, from 0 downwards."""
    heights: dict[str, float] = {}
    headings: dict[str, float] = {}
    at = 0.0
    for setting in found.itertuples():
        title = _KIND_TITLES[str(setting.kind)]
        if title not in headings:
            at += 0.35 if headings else 0.0
            headings[title] = at
            at += 1.0
        heights[str(setting.estimator)] = at
        at += 1.0
    return heights, headings


def _draw(ax: Axes, agreement: pd.DataFrame, heights: dict[str, float], tasks: Sequence[str]) -> None:
    for estimator, y in heights.items():
        ax.axhline(y, color=PALE, linewidth=0.3, zorder=0)
        for index, task in enumerate(tasks):
            chosen = agreement.loc[(agreement["estimator"] == estimator) & (agreement["task"] == task), "agree"]
            for value in chosen.dropna():
                ax.plot(value, y + _offset(index, len(tasks)), zorder=3, **_look(index))
    ax.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    ax.set_facecolor("none")
    values = agreement["agree"].dropna()
    low, high = min([0.4, *values]), max([0.6, *values])
    ax.set_xlim(max(-0.03, np.floor(low * 10 - 0.2) / 10), min(1.03, np.ceil(high * 10 + 0.2) / 10))
    ax.xaxis.set_major_locator(MultipleLocator(0.1))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if not len(values):
        ax.text(0.5, 0.5, "no pair of attacks", transform=ax.transAxes, ha="center", fontsize=SMALL, color=GREY)


def _offset(index: int, count: int) -> float:
    return 0.0 if count == 1 else _DODGE * (index / (count - 1) - 0.5)


def _look(index: int) -> dict[str, Any]:
    colour, marker = _LOOKS[index % len(_LOOKS)]
    return {"linestyle": "none", "color": colour, "marker": marker, "markersize": 3.2, "markeredgewidth": 0}


def _names(ax: Axes, found: pd.DataFrame, heights: dict[str, float], headings: dict[str, float]) -> None:
    names = [_name(*setting) for setting in found.itertuples(index=False, name=None)]
    ax.set_yticks(list(heights.values()), names)
    for label, estimator in zip(ax.get_yticklabels(), heights, strict=True):
        if estimator in _HEADLINE:
            label.set_fontweight("bold")
    for title, y in headings.items():
        heading = ax.text(0, y, title, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL, color=GREY)
        heading.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        heading.set_in_layout(False)


def _name(estimator: str, kind: str, parameter: float) -> str:
    """Short, for the heading says the kind."""
    if kind in ("share", "truncated", "ridge"):
        return f"{parameter:g}{_HEADLINE.get(estimator, '')}"
    return name(estimator, kind, parameter)


def _legend(drawn: Sequence[str], source: dict[str, str], once: bool) -> list[Line2D]:
    names = [frames.title(task) if once else frames.marked_title(task, source[task]) for task in drawn]
    return [Line2D([], [], label=plain(text), **_look(index)) for index, text in enumerate(names)]


def _without(agreement: pd.DataFrame, source: dict[str, str]) -> list[str]:
    """The tasks without any pair of attacks."""
    paired = set(agreement.loc[agreement["pairs"] > 0, "task"])
    return [f"{frames.title(task)}: no pair of attacks" for task in source if task not in paired]
