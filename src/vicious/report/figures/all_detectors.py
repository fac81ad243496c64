"""The whole defence at a glance: every detector's verdict on every model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.defense.evaluation.groups import HONEST, MODEL, names
from vicious.models.evaded import against
from vicious.report import adaptive, frames, judged, style, z_scores
from vicious.report.style import COLOURS, SMALL
from vicious.report.text import Text, span
from vicious.report.z_scores import Ruler
from vicious.results.schema import DETECTION, SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "defense"
GROUPS: dict[str, dict[str, Any]] = {
    "honest": {"color": COLOURS["honest"], "marker": "o"},
    "other honest recipe": {"color": COLOURS["honest"], "marker": "o", "markerfacecolor": "white"},
    "vicious": {"color": COLOURS["vicious"], "marker": "^"},
    "evading": {"color": "#CC79A7", "marker": "v"},
    "hiding": {"color": "#000000", "marker": "s"},
}
"""Groups of models as they stand in a column, from left to right, with their looks."""
_SIZE = 3.0  # side of a marker, in typographic points
_ACROSS = 6  # legend entries side by side


def models(scores: pd.DataFrame, n: int) -> pd.DataFrame:
    """A row for each model (MODEL) and ``detector``, with its ``group`` (of GROUPS).

    ``failed``: it has no score for ``n`` user images. ``z_score``, by :class:`vicious.report.z_scores.Ruler`, is NaN
    where it failed or where honest verdicts give no measure.
    """
    parts = []
    for (_, detector), verdicts in scores.loc[scores["n_user"] == n].groupby(["dataset", "detector"], sort=False):
        means = verdicts.groupby(list(MODEL), dropna=False, sort=True)["score"].mean()
        ruler = Ruler.of(verdicts.loc[names(verdicts) == HONEST, "score"])
        found = pd.DataFrame({"failed": means.isna(), "z_score": ruler.z_scores(verdicts) if ruler else np.nan})
        parts.append(found.reset_index().assign(detector=str(detector)))
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(group=_group(rows))


@style.applied()
def draw(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw the z-score of each model by honest verdicts, a panel for each dataset and a column for each detector."""
    n = int(scores["n_user"].max())
    found = models(scores, n)
    datasets, groups = _datasets(found), _groups(found)
    # In the order in which they judged, which is the study's, the combined score last.
    detectors = list(dict.fromkeys(found["detector"]))
    source = {name: each for name, each in judged.sources(summary, datasets).items() if name in datasets}
    around: dict[str, Any] = {"handles": _legend(groups), "across": _ACROSS, "titles": [style.once(source)]}
    height = 1.1 + min(1.8, 7.0 / len(datasets)) * len(datasets)
    with style.page(len(datasets), 1, height, sharex=True, **around) as (figure, axes):
        for ax, dataset in zip(axes[:, 0], datasets, strict=True):
            here = found.loc[found["dataset"] == dataset]
            _draw(ax, here, detectors, groups)
            _frame(ax, here, detectors, groups)
            ax.set_ylabel(style.short_heading(dataset, source), fontsize=SMALL)
        titles = [judged.words(name) for name in detectors]
        places = [_centre(index, groups) for index in range(len(detectors))]
        axes[-1, 0].set_xticks(places, titles, rotation=35, ha="right", rotation_mode="anchor")
        figure.supylabel(z_scores.label(n, len(datasets)), fontsize=8)
    return figure


def text(summary: pd.DataFrame, scores: pd.DataFrame) -> Text:
    n = int(scores["n_user"].max())
    found = models(scores, n)
    datasets = _datasets(found)
    shown = summary.loc[summary["dataset"].isin(datasets)]
    known = ((dataset, found.loc[found["dataset"] == dataset, "z_score"].dropna()) for dataset in datasets)
    unscaled = "; ".join(_unscaled(found))
    failed = [*judged.failures(shown), *_without_score(found)]
    return Text(
        "The whole defence at a glance: the z-score of every model by every detector; higher looks more vicious. A dot "
        f"for each of {len(found.drop_duplicates(list(MODEL)))} models, the mean over {_samples(scores, n)} of n = "
        f"{n:,} of the user's own images. Honest models centre on 0.",
        (
            f"{z_scores.MEANING} Dots that would cover each other are moved apart sideways.",
            " ".join(_meanings(found)),
            f"{frames.listed('Models judged', _counts(found))} {z_scores.axis_words(known)}",
            judged.conditions(shown),
            f"n/a: {unscaled}." if unscaled else "",
            "Above columns: models failed, that is without a score." if failed else "",
        ),
        failed,
    )


def write(summary: Path, detection: Path, out: Destination) -> tuple[Path, ...]:
    rows, scores = read_table(SUMMARY, summary), read_table(DETECTION, detection)
    return style.write_figure(out, draw(rows, scores), text(rows, scores))


def _group(rows: pd.DataFrame) -> "pd.Series[str]":
    """The group of each row, a key of GROUPS."""
    group = rows["role"].astype(str)
    group = group.where(rows["recipe"] == "", "other honest recipe")
    group = group.where(rows["evades"] == "", "evading")
    return group.where(rows["hidden"] == "", "hiding")


def _datasets(found: pd.DataFrame) -> list[str]:
    return sorted(set(found["dataset"]), key=frames.order)


def _groups(found: pd.DataFrame) -> list[str]:
    there = set(found["group"])
    return [group for group in GROUPS if group in there]


def _frame(ax: Axes, here: pd.DataFrame, detectors: Sequence[str], groups: Sequence[str]) -> None:
    """All of a dataset's panel but its dots: shades, why a column has none, how many models failed, and the axes."""
    width = len(groups) + 1
    for index, detector in enumerate(detectors):
        place, paper = _centre(index, groups), "#F2F2F2" if index % 2 else "white"
        ax.axvspan(place - width / 2, place + width / 2, color=paper, linewidth=0, zorder=-1)
        rows, at = here.loc[here["detector"] == detector], {"transform": ax.get_xaxis_transform()}
        if rows["z_score"].isna().all():
            lacking = "not run" if rows.empty else "failed" if rows["failed"].all() else "n/a"
            style.say(ax, lacking, place, 0.5, bbox={"facecolor": paper, "edgecolor": "none", "pad": 1}, **at)
        elif rows["failed"].any():
            style.say(ax, f"{rows['failed'].sum()} failed", place, 1.0, va="bottom", **at)
    z_scores.draw_thresholds(ax)
    z_scores.scale(ax, here["z_score"].dropna())
    ax.set_xlim(-1, len(detectors) * width - 1)
    ax.tick_params(axis="x", length=0)
    ax.tick_params(pad=2)


def _centre(index: int, groups: Sequence[str]) -> float:
    """The middle of a detector's column, which has a place for each group, 1 apart, and one for the gap to the next
    column."""
    return index * (len(groups) + 1) + (len(groups) - 1) / 2


def _draw(ax: Axes, here: pd.DataFrame, detectors: Sequence[str], groups: Sequence[str]) -> None:
    """The dots of a panel: in each column the groups side by side; those too many for their group's place overlap."""
    width = len(groups) + 1
    place = {detector: index * width for index, detector in enumerate(detectors)}
    for index, group in enumerate(groups):
        dots = here.loc[(here["group"] == group) & here["z_score"].notna()]
        if len(dots):
            look = GROUPS[group]
            sns.swarmplot(
                dots.assign(place=dots["detector"].map(place) + index),
                **{"x": "place", "y": "z_score", "order": range(len(detectors) * width), "ax": ax, "warn_thresh": 1.0},
                **{"marker": look["marker"], "color": look.get("markerfacecolor", look["color"]), "size": _SIZE},
                **{"edgecolor": look["color"], "linewidth": 0.6, "legend": False, "zorder": 3},
            )
    ax.set(xlabel="", ylabel="")


def _legend(groups: Sequence[str]) -> list[Line2D]:
    look: dict[str, Any] = {"linestyle": "none", "markersize": _SIZE + 1, "markeredgewidth": 0.6}
    return [*(Line2D([], [], label=group, **look | GROUPS[group]) for group in groups), z_scores.thresholds_handle()]


def _samples(scores: pd.DataFrame, n: int) -> str:
    counts = scores.loc[scores["n_user"] == n].groupby([*MODEL, "detector"], dropna=False).size()
    found = sorted({int(count) for count in counts})
    return f"{span(found)} sample{'' if found == [1] else 's'}"


def _meanings(found: pd.DataFrame) -> list[str]:
    kinds = {"Other recipes": sorted(set(found.loc[found["group"] == "other honest recipe", "recipe"]))}
    for name in adaptive.EVADED:
        weights = sorted(set(found.loc[(found["evades"] == name) & (found["hidden"] == ""), "evasion"]))
        kinds[f"Weights of the adaptive penalty against {against(name)}"] = [f"{weight:g}" for weight in weights]
    kinds["Hidden codes"] = sorted(set(found.loc[found["group"] == "hiding", "hidden"]))
    return [f"{name}: {', '.join(which)}." for name, which in kinds.items() if which]


def _counts(found: pd.DataFrame) -> Iterator[tuple[str, str]]:
    for dataset in _datasets(found):
        here = found.loc[found["dataset"] == dataset].drop_duplicates(list(MODEL))["group"].value_counts()
        counts = ", ".join(f"{here[group]} {group}" for group in GROUPS if group in here)
        yield dataset, counts.replace("other honest recipe", "of other honest recipes")


def _unscaled(found: pd.DataFrame) -> Iterator[str]:
    """The detectors of each dataset that have scores and no measure of them."""
    for dataset in _datasets(found):
        here = found.loc[found["dataset"] == dataset]
        by = here.loc[~here["failed"]].groupby("detector", sort=False)["z_score"]
        lost = [judged.words(str(detector)) for detector, values in by if values.isna().all()]
        if lost:
            yield f"{frames.title(dataset)}: honest verdicts by {', '.join(lost)} do not vary, or are fewer than two"


def _without_score(found: pd.DataFrame) -> Iterator[str]:
    for dataset in _datasets(found):
        for group in _groups(found):
            rows = found.loc[(found["dataset"] == dataset) & (found["group"] == group)]
            lost = rows.groupby("detector", sort=False)["failed"].sum()
            total = len(rows.drop_duplicates(list(MODEL)))
            yield from judged.without_score(f"{frames.title(dataset)}, {group}", lost, total)
