"""Figure 16: the whole defence at a glance: every detector's verdict on every model."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.defense.groups import HONEST, MODEL, names
from vicious.defense.thresholds import SPREADS
from vicious.models.evaded import short
from vicious.report import adaptive, frames, heights, judged
from vicious.report.heights import Ruler
from vicious.report.style import (
    ALL_SYNTHETIC,
    COLOURS,
    DOUBLE,
    GREY,
    SMALL,
    new_figure,
    plain,
    style,
)
from vicious.report.swarm import aside

GROUPS: dict[str, dict[str, Any]] = {
    "honest": {"color": COLOURS["honest"], "marker": "o"},
    "other honest recipe": {"color": COLOURS["honest"], "marker": "o", "markerfacecolor": "white"},
    "vicious": {"color": COLOURS["vicious"], "marker": "^"},
    "evading linear": {"color": "#CC79A7", "marker": "v"},
    "evading distance": {"color": "#CC79A7", "marker": "v", "markerfacecolor": "white"},
    "evading both": {"color": "#CC79A7", "marker": "<"},
    "hiding": {"color": "#000000", "marker": "s"},
}
"""Groups of models as they stand in a column, from left to right, with their looks."""
_SIZE = 3.0
"""Side of a marker, in typographic points."""
_COLUMN = 0.92
"""Width of a column's groups, in units of the horizontal axis; the rest parts columns."""
_ACROSS = 7
"""Legend entries side by side."""
_SHADE = "#F2F2F2"
_PAGE = 7.0
"""Height, in inches, that rows share where they are many."""
_ROW = 1.8
"""Height of a row where they are few."""


def models(scores: pd.DataFrame, n: int) -> pd.DataFrame:
    """A row for each model and detector: what tells the model (MODEL), ``detector``, ``group`` (of GROUPS), ``failed``, ``height``.

    ``failed`` says that it has no score; ``height`` is in standard deviations of honest verdicts, as in
    :class:`vicious.report.heights.Ruler`, NaN where it failed or where honest verdicts give no measure.

    Args:
        scores: rows of detection.csv.
        n: number of user images.
    """
    parts = []
    for (_, detector), verdicts in scores.loc[scores["n_user"] == n].groupby(["dataset", "detector"], sort=False):
        means = verdicts.groupby(list(MODEL), dropna=False, sort=True)["score"].mean()
        ruler = Ruler.of(verdicts.loc[names(verdicts) == HONEST, "score"])
        found = pd.DataFrame({"failed": means.isna(), "height": ruler.heights(verdicts) if ruler else np.nan})
        parts.append(found.reset_index().assign(detector=str(detector)))
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(group=_group(rows))


def figure16(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw how far each model's score lies from honest verdicts, a panel for each dataset and a column for each detector.

    Args:
        summary: rows of the experiment's summary, for the data source of each dataset.
        scores: rows of detection.csv.

    Raises:
        MixedResultsError: the summary lacks a dataset.
    """
    n = adaptive.largest(scores)
    found = models(scores, n)
    datasets, detectors, groups = _datasets(found), _detectors(found), _groups(found)
    source = {name: each for name, each in judged.sources(summary, datasets).items() if name in datasets}
    once = frames.all_synthetic(source)
    handles = _legend(groups)
    lines = math.ceil(len(handles) / _ACROSS)
    with style():
        row = min(_ROW, _PAGE / len(datasets))
        figure = new_figure(DOUBLE, 1.25 + 0.16 * (once + lines - 1) + row * len(datasets))
        axes = list(np.asarray(figure.subplots(len(datasets), 1, sharex=True, squeeze=False)).flat)
        for ax, dataset in zip(axes, datasets, strict=True):
            _prepare(ax, found.loc[found["dataset"] == dataset], detectors)
            mark = frames.STAND_IN.split() if source[dataset] == "synthetic" and not once else []
            ax.set_ylabel("\n".join([plain(frames.title(dataset)), *mark]), fontsize=SMALL)
        axes[-1].set_xticks(
            range(len(detectors)),
            [judged.words(name) for name in detectors],
            rotation=35,
            ha="right",
            rotation_mode="anchor",
        )
        figure.supylabel(heights.label(n, len(datasets)), fontsize=8)
        title = ALL_SYNTHETIC if once else None
        close = {"handletextpad": 0.3, "columnspacing": 1.0}
        figure.legend(
            handles=handles, title=title, loc="outside upper center", ncols=math.ceil(len(handles) / lines), **close
        )
        # The layout must be final before it is known which dots would cover each other.
        figure.draw_without_rendering()
        for ax, dataset in zip(axes, datasets, strict=True):
            here = found.loc[found["dataset"] == dataset]
            for place, detector in enumerate(detectors):
                _draw(ax, place, here.loc[here["detector"] == detector], groups)
    return figure


def caption(summary: pd.DataFrame, scores: pd.DataFrame) -> str:
    """The caption, with the models behind the dots, the settings used and what failed."""
    n = adaptive.largest(scores)
    found = models(scores, n)
    datasets = _datasets(found)
    shown = summary.loc[summary["dataset"].isin(datasets)]
    known = ((dataset, found.loc[found["dataset"] == dataset, "height"].dropna()) for dataset in datasets)
    unscaled, failed = "; ".join(_unscaled(found)), [*judged.failures(shown), *_without_score(found)]
    lacking = f" n/a: {unscaled}." if unscaled else ""
    note = (
        f" Above columns: models failed, that is without a score. Without a result: {'; '.join(failed)}."
        if failed
        else ""
    )
    return (
        "The whole defence at a glance: every detector's verdict on every model, a column for each detector. A dot for each "
        f"model: its mean score over {_samples(scores, n)} of n = {n:,} of the user's own images, less the mean of the verdicts on "
        "honest models of the same dataset, in standard deviations of these verdicts, each of which is one sample, so that honest models centre on 0; higher looks more vicious. "
        f"Dashed: the thresholds of a user who has honest models only, {SPREADS:g} and -{SPREADS:g}, beyond which a model is vicious, or odd. "
        "Dots of one group that would cover each other are moved apart sideways. "
        f"{_meanings(found)}{frames.listed('Models judged', _counts(found))}{heights.axis_words(known)}"
        f" {judged.settings(shown)}{lacking}{note}"
    )


def write(summary: Path, detection: Path, out: Path) -> tuple[Path, ...]:
    """Write figure16.pdf, figure16.png and figure16.md; see :func:`vicious.report.adaptive.write`."""
    return adaptive.write(16, figure16, caption, summary, detection, out)


def _group(rows: pd.DataFrame) -> "pd.Series[str]":
    """The group of each row, a key of GROUPS."""
    group = rows["role"].astype(str)
    group = group.where(rows["recipe"] == "", "other honest recipe")
    group = group.where(rows["evades"] == "", "evading " + rows["evades"].map(short))
    return group.where(rows["hidden"] == "", "hiding")


def _datasets(found: pd.DataFrame) -> list[str]:
    return sorted(set(found["dataset"]), key=frames.order)


def _detectors(found: pd.DataFrame) -> list[str]:
    """The detectors in the order in which they judged, which is the study's, the combined score last."""
    return list(dict.fromkeys(found["detector"]))


def _groups(found: pd.DataFrame) -> list[str]:
    there = set(found["group"])
    return [group for group in GROUPS if group in there]


def _prepare(ax: Axes, here: pd.DataFrame, detectors: Sequence[str]) -> None:
    """All of a dataset's panel but its dots."""
    for place, detector in enumerate(detectors):
        ax.axvspan(place - 0.5, place + 0.5, color=_shade(place), linewidth=0, zorder=-1)
        _tell(ax, place, here.loc[here["detector"] == detector])
    heights.draw_thresholds(ax)
    heights.scale(ax, here["height"].dropna())
    ax.set_xlim(-0.5, len(detectors) - 0.5)
    ax.tick_params(axis="x", length=0)
    ax.tick_params(pad=2)


def _tell(ax: Axes, place: int, rows: pd.DataFrame) -> None:
    """Say in a column why it has no dots, and above it how many models have none."""
    look: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center", "fontsize": SMALL, "color": GREY}
    if rows["height"].isna().all():
        paper = {"facecolor": _shade(place), "edgecolor": "none", "pad": 1}
        ax.text(place, 0.5, _lacking(rows), va="center", bbox=paper, **look)
    elif rows["failed"].any():
        ax.text(place, 1.0, f"{rows['failed'].sum()} failed", va="bottom", **look)


def _shade(place: int) -> str:
    return _SHADE if place % 2 else "white"


def _lacking(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "not run"
    return "failed" if rows["failed"].all() else "n/a"


def _draw(ax: Axes, place: int, rows: pd.DataFrame, groups: Sequence[str]) -> None:
    """The dots of a column, the groups side by side; those too many to stand side by side in their group overlap."""
    slot = _COLUMN / len(groups)
    figure = ax.get_figure(root=True)
    assert figure is not None
    side = _SIZE * figure.dpi / 72
    unit = np.diff(ax.get_xlim())[0] / ax.get_window_extent().width
    most = slot / unit / 2 - side / 2
    for index, group in enumerate(groups):
        y = rows.loc[rows["group"] == group, "height"].dropna().to_numpy(dtype=float)
        if not len(y):
            continue
        centre = place - _COLUMN / 2 + (index + 0.5) * slot
        pixels = ax.transData.transform(np.column_stack([np.full(len(y), centre), y]))
        moves = np.array(aside([(float(a), float(b)) for a, b in pixels], side))
        reach = np.abs(moves).max()
        moves *= most / reach if reach > most > 0 else 1.0
        ax.plot(centre + moves * unit, y, **_look(group))


def _look(group: str) -> dict[str, Any]:
    return {"linestyle": "none", "markersize": _SIZE, "markeredgewidth": 0.6, "zorder": 3} | GROUPS[group]


def _legend(groups: Sequence[str]) -> list[Line2D]:
    handles = [Line2D([], [], label=group, **_look(group) | {"markersize": _SIZE + 1}) for group in groups]
    return [*handles, heights.thresholds_handle()]


def _samples(scores: pd.DataFrame, n: int) -> str:
    """How many samples are behind a dot: ``5 samples``."""
    counts = scores.loc[scores["n_user"] == n].groupby([*MODEL, "detector"], dropna=False).size()
    low, high = int(counts.min()), int(counts.max())
    return f"{low} sample{'' if low == high == 1 else 's'}" if low == high else f"{low} to {high} samples"


def _meanings(found: pd.DataFrame) -> str:
    """What is within the groups that hold several kinds of models, as sentences with a space after each."""
    rows = {group: found.loc[found["group"] == group] for group in GROUPS}
    told = {
        "Other recipes": sorted(set(rows["other honest recipe"]["recipe"])),
        **{
            f"Evading {judged.words(name)}, by weight of the penalty against it": _weights(found, name)
            for name in adaptive.EVADED
        },
        "Hidden codes": sorted(set(rows["hiding"]["hidden"])),
    }
    return "".join(f"{name}: {', '.join(kinds)}. " for name, kinds in told.items() if kinds)


def _weights(found: pd.DataFrame, evaded: str) -> list[str]:
    rows = found.loc[(found["evades"] == evaded) & (found["hidden"] == "")]
    return [f"{weight:g}" for weight in sorted(set(rows["evasion"]))]


def _counts(found: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """How many models of each group were judged, by dataset."""
    for dataset in _datasets(found):
        here = found.loc[found["dataset"] == dataset].drop_duplicates(list(MODEL))["group"].value_counts()
        yield dataset, ", ".join(f"{here[group]} {group}" for group in GROUPS if group in here)


def _unscaled(found: pd.DataFrame) -> Iterator[str]:
    """The detectors of each dataset that have scores and no measure of them."""
    for dataset in _datasets(found):
        here = found.loc[found["dataset"] == dataset]
        by = here.loc[~here["failed"]].groupby("detector", sort=False)["height"]
        lost = [judged.words(str(detector)) for detector, values in by if values.isna().all()]
        if lost:
            yield f"{frames.title(dataset)}: honest verdicts by {', '.join(lost)} do not vary, or are fewer than two"


def _without_score(found: pd.DataFrame) -> Iterator[str]:
    """A line for each dataset, group and number of its models without a score."""
    for dataset in _datasets(found):
        for group in _groups(found):
            rows = found.loc[(found["dataset"] == dataset) & (found["group"] == group)]
            lost = rows.groupby("detector", sort=False)["failed"].sum()
            total = len(rows.drop_duplicates(list(MODEL)))
            for count in sorted(set(lost[lost > 0])):
                which = ", ".join(judged.words(str(name)) for name in lost.index[lost == count])
                yield f"{frames.title(dataset)}, {group}: no score by {which} for {count} of {total} models"
