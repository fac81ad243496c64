"""ROC curves of the detectors over verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from vicious.defense.evaluation.groups import MODEL, standard
from vicious.defense.evaluation.separation import auroc
from vicious.report import frames, style
from vicious.report.judged import SHOWN, conditions, sources, words
from vicious.report.style import DASHED, DOUBLE, GREY, PALE, SINGLE, SMALL
from vicious.report.text import Text, span
from vicious.results.schema import DETECTION, SUMMARY, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "defense"
Array = NDArray[np.float64]
_WIDEST, _STEP = 2.6, 0.4  # line width, in points, of the first detector; each next one is thinner, so that both show
_LINE = 0.115  # height of a line of numbers, in units of the vertical axis
_RIGHT = 1.42  # where a panel ends: beyond the curves there is room for numbers


@dataclass(frozen=True)
class Curve:
    """One detector, dataset and number of user images: scores of verdicts, and the models of which one has no score."""

    honest: Array
    vicious: Array
    failed: int

    @property
    def drawn(self) -> bool:
        return bool(len(self.honest) and len(self.vicious))


def roc(honest: Array, vicious: Array) -> tuple[Array, Array]:
    """Shares in [0, 1] of verdicts on honest and on vicious models at or above each threshold, from above all scores to
    the least, of scores (n,) and (m,), neither empty.

    Verdicts of one score pass the threshold together, so ties are a slope, and the area is the AUROC with ties half.
    """
    limits = np.unique(np.concatenate([honest, vicious]))[::-1]
    one, other = (np.array([0.0, *((scores >= limit).mean() for limit in limits)]) for scores in (honest, vicious))
    return one, other


def curves(scores: pd.DataFrame) -> dict[tuple[str, int, str], Curve]:
    """The curves by dataset, number of user images and detector, of models trained in the study's own way."""
    found = {}
    for key, verdicts in scores.loc[standard(scores)].groupby(["dataset", "n_user", "detector"], sort=False):
        dataset, number, detector = cast(tuple[str, int, str], key)
        known = verdicts.dropna(subset=["score"])
        honest, vicious = (known.loc[known["role"] == role, "score"].to_numpy() for role in ("honest", "vicious"))
        lacking = verdicts.loc[verdicts["score"].isna(), list(MODEL)].drop_duplicates()
        found[dataset, int(number), detector] = Curve(honest, vicious, len(lacking))
    if not found:
        raise DataError(
            "there are no scores of honest or vicious models: run the steps that judge them, then this again"
        )
    return found


@style.applied()
def draw(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    found = curves(scores)
    datasets, numbers = _datasets(found), _numbers(found)
    source = {name: each for name, each in sources(summary, datasets).items() if name in datasets}
    across, width = (4, DOUBLE) if len(numbers) > 1 else (2, SINGLE)
    around: dict[str, Any] = {
        "handles": _legend(found),
        "across": across,
        "titles": [style.once(source)],
        "width": width,
    }
    shape = len(datasets), len(numbers), 0.65 + 1.25 * len(datasets)
    with style.page(*shape, sharex=True, sharey=True, **around) as (figure, axes):
        for row, dataset in zip(axes, datasets, strict=True):
            for ax, number in zip(row, numbers, strict=True):
                _draw(ax, {detector: curve for (*at, detector), curve in found.items() if at == [dataset, number]})
            row[0].set_ylabel(style.short_heading(dataset, source), fontsize=SMALL)
        for ax, number in zip(axes[0], numbers, strict=True):
            ax.set_title(f"n = {number:,} user images", loc="left", pad=4)
        figure.supxlabel("share of verdicts on honest models flagged", fontsize=8)
        gap = "\n" if len(datasets) == 1 else " "
        figure.supylabel(f"share of verdicts on{gap}vicious models flagged", fontsize=8)
    return figure


def text(summary: pd.DataFrame, scores: pd.DataFrame) -> Text:
    found = curves(scores)
    datasets = _datasets(found)
    counts = frames.listed("Models, honest + vicious", ((dataset, _models(scores, dataset)) for dataset in datasets))
    others = list(dict.fromkeys(words(detector) for *_, detector in found if detector not in SHOWN))
    lost = _failed(found)
    return Text(
        "ROC curves of the detectors: share of verdicts on vicious models that are flagged against that on honest "
        "models, over all thresholds. A verdict is the score of one sample of n = "
        f"{span([f'{number:,}' for number in _numbers(found)])} of the user's own images. Numbers: AUROC.",
        (
            "Models are trained in the study's own way, by servers that do not know of detectors. AUROC (ties half): "
            "of coloured detectors, in the legend's order. Curves that coincide are drawn with different widths.",
            f"Thin grey: {', '.join(others)}." if others else "",
            f"{counts} With few models a curve has few steps: read an order, not a rate.",
            conditions(summary.loc[summary["dataset"].isin(datasets)]),
            "*: verdicts on some models failed." if lost else "",
        ),
        lost,
    )


def write(summary: Path, detection: Path, out: Destination) -> tuple[Path, ...]:
    rows, scores = read_table(SUMMARY, summary), read_table(DETECTION, detection)
    return style.write_figure(out, draw(rows, scores), text(rows, scores))


def _numbers(found: Mapping[tuple[str, int, str], Curve]) -> list[int]:
    return sorted({number for _, number, _ in found})


def _datasets(found: Mapping[tuple[str, int, str], Curve]) -> list[str]:
    return sorted({dataset for dataset, *_ in found}, key=frames.order)


def _draw(ax: Axes, found: Mapping[str, Curve]) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=DASHED, zorder=1)
    drawn = {detector: curve for detector, curve in found.items() if curve.drawn}
    rates = {detector: roc(curve.honest, curve.vicious) for detector, curve in drawn.items()}
    for detector in (name for name in drawn if name not in SHOWN):
        ax.plot(*rates[detector], color=PALE, linewidth=0.6, zorder=2)
    for place, detector in enumerate(name for name in SHOWN if name in drawn):
        look: dict[str, Any] = {"color": SHOWN[detector], "linewidth": _WIDEST - _STEP * place, "zorder": 3 + place}
        ax.plot(*rates[detector], solid_joinstyle="miter", **look)
    if drawn:
        _write_auroc(ax, found)
    else:
        style.say(ax, _lacking(list(found.values())), transform=ax.transData)
    ax.set(xlim=(-0.04, _RIGHT), ylim=(-0.04, 1.04))
    for set_ticks in (ax.set_xticks, ax.set_yticks):
        set_ticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.spines["bottom"].set_bounds(-0.04, 1)
    ax.tick_params(pad=2)


def _write_auroc(ax: Axes, found: Mapping[str, Curve]) -> None:
    shown = [detector for detector in SHOWN if detector in found]
    for place, detector in enumerate(reversed(shown)):
        curve = found[detector]
        text = f"{auroc(curve.honest, curve.vicious):.2f}" if curve.drawn else "failed"
        text += "*" if curve.failed and curve.drawn else ""
        ax.text(1.06, _LINE * place, text, va="bottom", fontsize=SMALL, color=SHOWN[detector])


def _lacking(found: Sequence[Curve]) -> str:
    kinds = {"honest": [curve.honest for curve in found], "vicious": [curve.vicious for curve in found]}
    lacking = [kind for kind, scores in kinds.items() if not any(map(len, scores))]
    return f"no {' or '.join(lacking)}\nmodel has a score" if lacking else "no detector has\nscores of both kinds"


def _legend(found: Mapping[tuple[str, int, str], Curve]) -> list[Line2D]:
    there = {detector for *_, detector in found}
    shown = [detector for detector in SHOWN if detector in there]
    handles = [Line2D([], [], color=SHOWN[name], linewidth=1.6, label=words(name)) for name in shown]
    if there - set(SHOWN):
        handles.append(Line2D([], [], color=PALE, linewidth=0.6, label="other detectors"))
    return [*handles, Line2D([], [], color=GREY, linewidth=0.6, linestyle=DASHED, label="guessing")]


def _models(scores: pd.DataFrame, dataset: str) -> str:
    models = scores.loc[standard(scores) & (scores["dataset"] == dataset), list(MODEL)].drop_duplicates()
    return " + ".join(str(int((models["role"] == role).sum())) for role in ("honest", "vicious"))


def _failed(found: Mapping[tuple[str, int, str], Curve]) -> list[str]:
    """A line for each detector without a score of some models: the most at any number of user images."""
    lost: dict[str, dict[str, int]] = {}
    for (dataset, _, detector), curve in found.items():
        if curve.failed:
            by_dataset = lost.setdefault(words(detector), {})
            by_dataset[dataset] = max(by_dataset.get(dataset, 0), curve.failed)
    counts = {
        name: [f"{count} ({frames.title(dataset)})" for dataset, count in of.items()] for name, of in lost.items()
    }
    return [f"models with failed verdicts by {name}: {', '.join(which)}" for name, which in counts.items()]
