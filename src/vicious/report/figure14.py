"""Figure 14: what it costs a server to go undetected: verdicts against what is reconstructed."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from vicious.defense.combined import NAME as COMBINED
from vicious.defense.thresholds import SPREADS
from vicious.report import adaptive, frames, heights
from vicious.report.adaptive import Block, Server
from vicious.report.frames import Cell
from vicious.report.heights import Ruler
from vicious.report.judged import SHOWN, words
from vicious.report.style import (
    ALL_SYNTHETIC,
    COLOURS,
    DOUBLE,
    GREY,
    NOTE_LINE,
    RISK95,
    SMALL,
    failure_lines,
    new_figure,
    note_failures,
    plain,
    style,
)

DETECTORS = tuple(name for name in SHOWN if name != COMBINED)
_PANELS = {"psnr": "PSNR of the server's best attack (dB)", "risk95": f"{RISK95} of the server's best attack"}
_ROW = 1.35
"""Height, in inches, of a row of panels."""
_MARKERS = {"shuffled": "D", "folded": "s", "shifted": "P"}
"""Of hidden codes; others get a cross."""
_EVADING = {"": "o", "linear_decodability": "o", "distance_correlation": "^", "both": "v"}
"""Markers of servers that hide nothing, by the detector evaded."""
_LINES = {"linear_decodability": "-", "distance_correlation": ":", "both": "--"}
"""Lines through servers that evade a detector."""
_SIGNS = {"linear_decodability": "\u25cb", "distance_correlation": "\u25b3", "both": "\u25bd"}
"""Beside weights, where servers evade several detectors."""
_LEAST = {"psnr": 0.1, "risk95": 0.01}
"""Least width of an axis, in its units: smaller differences mean nothing."""
_APART = 0.075
"""Least distance of two weights above a panel, as a share of its width."""
_SIGNED_APART = 0.1
"""The same of weights with a sign."""


@dataclass(frozen=True)
class Point:
    """The verdicts of one detector on one server.

    Attributes:
        server: whose.
        height: standard deviations of the verdicts on honest models by which its models' scores, means over samples, lie above
            the mean of those verdicts; over models, those without a score counted as failed.
    """

    server: Server
    height: Cell


def points(block: Block, detector: str, n: int) -> list[Point]:
    """The points of all vicious servers, by growing penalty, hidden codes last; none where verdicts on honest models do not vary.

    Args:
        block: the servers of a dataset.
        detector: whose verdicts.
        n: number of user images.
    """
    ruler = Ruler.of(_scores(block.honest, detector, n)["score"])
    if ruler is None:
        return []
    found = []
    for server in block.vicious:
        models = ruler.heights(_scores(server, detector, n)).to_numpy(dtype=float)
        found.append(Point(server, frames.cell(models, len(models))))
    return found


def figure14(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw verdicts against PSNR (left) and R95 (right) of the best attack, a row for each dataset and kind of outputs.

    Args:
        summary: rows of the experiment's summary.
        scores: rows of detection.csv.

    Raises:
        DataError: there is no post-hoc and no joint attack.
        MixedResultsError: the summary lacks a dataset, or adaptive servers of one have several weights.
    """
    found, n = adaptive.blocks(summary, scores), adaptive.largest(scores)
    source = {block.dataset: block.source for block in found}
    once = frames.all_synthetic(source)
    with style():
        handles = _legend(found)
        lines = math.ceil(len(handles) / 4)
        failed = failure_lines(_told(found, n))
        titles = [*([ALL_SYNTHETIC] if once else []), *([_ABOVE] if adaptive.evaded(found) else [])]
        height = 0.55 + 0.17 * (lines + bool(titles)) + _ROW * len(found) + NOTE_LINE * len(failed)
        figure = new_figure(DOUBLE, height)
        axes = np.asarray(figure.subplots(len(found), len(_PANELS), sharey="row", squeeze=False))
        for row, block in zip(axes, found, strict=True):
            for ax, measure in zip(row, _PANELS, strict=True):
                _draw(ax, block, measure, n)
            heights.scale(row[0], _heights(block, n))
            row[0].set_ylabel(_name(block, found, once), fontsize=SMALL)
        for ax, text in zip(axes[-1], _PANELS.values(), strict=True):
            ax.set_xlabel(text, labelpad=2)
        figure.supylabel(heights.label(n, len(found)), fontsize=8)
        figure.legend(
            handles=handles,
            title="; ".join(titles) or None,
            loc="outside upper center",
            ncols=math.ceil(len(handles) / lines),
        )
        note_failures(figure, failed)
    return figure


def caption(summary: pd.DataFrame, scores: pd.DataFrame) -> str:
    """The caption, with the models behind the points, the settings used and what failed."""
    found, n = adaptive.blocks(summary, scores), adaptive.largest(scores)
    attacks = [server.attack for block in found for server in block.servers if not server.hidden]
    failed = [*adaptive.failures(found, DETECTORS), *_unscaled(found, n)]
    note = f" Without a result: {'; '.join(failed)}." if failed else ""
    codes = _codes(found)
    axes = ((block.dataset, _heights(block, n)) for block in found)
    evaded = [words(name) for name in adaptive.evaded(found)]
    evading = (
        " Joined from the vicious server that knows nothing (0) by growing weight, above the panels, of its penalty against "
        f"{' or '.join(evaded)}{', a line for each' if len(evaded) > 1 else ''}."
        if evaded
        else ""
    )
    hidden = (
        f" Hidden codes ({', '.join(codes)}) stand at the PSNR and R95 of the models whose outputs they hide, of the same seeds: hiding changes "
        "neither accuracy nor reconstruction."
        if codes
        else ""
    )
    return (
        "What it costs a server to go undetected: how far its models look vicious to detectors, against what its attack "
        f"reconstructs: the better, by PSNR, of the one trained together with the model and, where there is one, of another trained afterwards, over the seeds that have both. Height: a model's mean score over samples of n = {n:,} of the user's own images, less the mean of the verdicts on "
        "honest models of the same dataset, in standard deviations of these verdicts. Dashed: the thresholds of a user who has honest models "
        f"only, {SPREADS:g} and -{SPREADS:g}, beyond which a model is vicious, or odd. Vertical line: the post-hoc attack on honest models, what an honest model gives away anyway; "
        f"further right is worse for privacy.{evading}{hidden} Points: {frames.spread(attacks)}; bars: standard deviation, none for a single seed. "
        f"{_models(found)}{heights.axis_words(axes)} {adaptive.settings(summary, found)}{note}"
    )


def write(summary: Path, detection: Path, out: Path) -> tuple[Path, ...]:
    """Write figure14.pdf, figure14.png and figure14.md; see :func:`vicious.report.adaptive.write`."""
    return adaptive.write(14, figure14, caption, summary, detection, out)


_ABOVE = "numbers above the panels: weight of the penalty"


def _scores(server: Server, detector: str, n: int) -> pd.DataFrame:
    return server.scores.loc[(server.scores["detector"] == detector) & (server.scores["n_user"] == n)]


def _judged(block: Block) -> list[str]:
    """The detectors of the figure that judged."""
    there = set(block.scores["detector"])
    return [name for name in DETECTORS if name in there]


def _heights(block: Block, n: int) -> list[float]:
    found = [point.height.mean for detector in _judged(block) for point in points(block, detector, n)]
    return [height for height in found if math.isfinite(height)]


def _draw(ax: Axes, block: Block, measure: str, n: int) -> None:
    heights.draw_thresholds(ax)
    honest = block.honest.attack.cell(measure)
    if math.isfinite(honest.mean):
        ax.axvline(honest.mean, color=COLOURS["honest"], linewidth=1.0, zorder=1)
    drawn = False
    for place, detector in enumerate(_judged(block)):
        look = {"color": SHOWN[detector], "zorder": 3 + place}
        known = [point for point in points(block, detector, n) if _known(point, measure)]
        _join(ax, [point for point in known if not point.server.hidden], measure, look)
        for point in known:
            if point.server.hidden:
                _bars(ax, [point], measure, look | _hollow(point.server.hidden))
        drawn = drawn or bool(known)
    ax.margins(x=0.08)
    _widen(ax, _LEAST[measure])
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    ax.tick_params(pad=2)
    if drawn:
        _weights(ax, block, measure)
    else:
        ax.text(
            0.5, 0.5, "nothing to compare", transform=ax.transAxes, ha="center", va="center", fontsize=SMALL, color=GREY
        )


def _join(ax: Axes, shown: Sequence[Point], measure: str, look: dict[str, Any]) -> None:
    """The servers that hide nothing, with a line through those that evade one detector, from the one that knows nothing."""
    for evades, line in _LINES.items():
        joined = [point for point in shown if point.server.attack.evades in ("", evades)]
        x = [point.server.attack.cell(measure).mean for point in joined]
        ax.plot(x, [point.height.mean for point in joined], linestyle=line, linewidth=0.9, **look)
    for evades, marker in _EVADING.items():
        alike = [point for point in shown if point.server.attack.evades == evades]
        if alike:
            _bars(ax, alike, measure, look | {"marker": marker, "linestyle": "none"})


def _widen(ax: Axes, least: float) -> None:
    low, high = ax.get_xlim()
    if ax.has_data() and high - low < least:
        middle = (low + high) / 2
        ax.set_xlim(middle - least / 2, middle + least / 2)


def _known(point: Point, measure: str) -> bool:
    return math.isfinite(point.height.mean) and math.isfinite(point.server.attack.cell(measure).mean)


def _bars(ax: Axes, shown: Sequence[Point], measure: str, look: dict[str, Any]) -> None:
    """Points with thin bars of one standard deviation, where there is one."""
    places, verdicts = [point.server.attack.cell(measure) for point in shown], [point.height for point in shown]
    x, y = ([cell.mean for cell in cells] for cells in (places, verdicts))
    across, up = (_spread(cells) for cells in (places, verdicts))
    ax.errorbar(x, y, xerr=across, yerr=up, linewidth=0.9, elinewidth=0.5, **({"markersize": 3.5} | look))


def _spread(cells: Sequence[Cell]) -> list[float] | None:
    spreads = [0.0 if math.isnan(cell.sd) else cell.sd for cell in cells]
    return spreads if any(spreads) else None


def _hollow(hidden: str) -> dict[str, Any]:
    return {
        "marker": _MARKERS.get(hidden, "x"),
        "linestyle": "none",
        "markerfacecolor": "none",
        "markersize": 5,
        "markeredgewidth": 0.9,
    }


def _weights(ax: Axes, block: Block, measure: str) -> None:
    """The weights above the panel, apart from each other, each with a line to where its points stand.

    Where servers evade several detectors, each weight has the sign of its detector.
    """
    several = len(adaptive.evaded([block])) > 1
    at = {}
    for server in block.vicious:
        place = server.attack.cell(measure).mean
        if not server.hidden and math.isfinite(place) and server.models:
            sign = _SIGNS.get(server.attack.evades, "") if several else ""
            at[f"{server.attack.evasion:g}{sign}"] = place
    if len(at) < 2:
        return
    low, high = ax.get_xlim()
    ax.set_xlim(low, high)
    shares = {text: (place - low) / (high - low) for text, place in at.items()}
    thin = {"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0}
    for text, share in apart(shares, _SIGNED_APART if several else _APART).items():
        ax.annotate(
            text,
            (shares[text], 0.97),
            (share, 1.06),
            xycoords="axes fraction",
            textcoords="axes fraction",
            ha="center",
            va="bottom",
            fontsize=SMALL,
            color=GREY,
            arrowprops=thin,
        )


def apart(shares: dict[str, float], least: float = _APART) -> dict[str, float]:
    """Places in [0, 1] in the same order, moved as little as it takes for any two to be ``least`` apart."""
    names = sorted(shares, key=lambda name: shares[name])
    places = [shares[name] for name in names]
    for _ in range(100):
        for index in range(len(places) - 1):
            lack = least - (places[index + 1] - places[index])
            if lack > 0:
                places[index] -= lack / 2
                places[index + 1] += lack / 2
    return dict(zip(names, places, strict=True))


def _name(block: Block, found: Sequence[Block], once: bool) -> str:
    """The title beside a row of panels, in short lines."""
    mark = frames.STAND_IN.split() if block.source == "synthetic" and not once else []
    outputs = [block.outputs] if len({each.outputs for each in found}) > 1 else []
    return "\n".join([plain(frames.title(block.dataset)), *outputs, *mark])


def _legend(found: Sequence[Block]) -> list[Line2D]:
    judged = {name for block in found for name in _judged(block)}
    look: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 0.9}
    handles = [Line2D([], [], color=SHOWN[name], label=words(name), **look) for name in DETECTORS if name in judged]
    evaded = adaptive.evaded(found)
    if len(evaded) > 1:
        handles += [
            Line2D([], [], color=GREY, label=f"evading {words(name)} ({_SIGNS[name]})", **_evading(name))
            for name in evaded
        ]
    handles += [Line2D([], [], color=GREY, label=f"code {code}", **_hollow(code)) for code in _codes(found)]
    return [
        *handles,
        heights.thresholds_handle(),
        Line2D([], [], color=COLOURS["honest"], linewidth=1.0, label="honest, post-hoc attack"),
    ]


def _evading(name: str) -> dict[str, Any]:
    return {"marker": _EVADING[name], "linestyle": _LINES[name], "markersize": 3.5, "linewidth": 0.9}


def _codes(found: Iterable[Block]) -> list[str]:
    """The hidden codes that there are."""
    return sorted({server.hidden for block in found for server in block.servers} - {""})


def _told(found: list[Block], n: int) -> list[str]:
    """What is not drawn, in few words."""
    attacks = [server.attack for block in found for server in block.servers if not server.hidden]
    return [*frames.failed_seeds(attacks), *adaptive.without_score(found, DETECTORS), *_unscaled(found, n)]


def _unscaled(found: Iterable[Block], n: int) -> Iterator[str]:
    for block in found:
        names = [words(name) for name in _judged(block) if not points(block, name, n)]
        if names:
            yield f"{frames.title(block.dataset)}: honest verdicts by {', '.join(names)} do not vary"


def _models(found: Iterable[Block]) -> str:
    """How many models of each server were judged."""
    counts = (
        (
            block.dataset,
            ", ".join(f"{server.models} {server.name.removeprefix('vicious, ')}" for server in block.servers),
        )
        for block in found
    )
    return frames.listed("Models judged", counts)
