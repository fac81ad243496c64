"""What it costs a server to go undetected: the largest z-score of some detectors against what is reconstructed."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from vicious.defense.evaluation.combined import NAME as COMBINED
from vicious.models.evaded import against, short
from vicious.report import adaptive, frames, style, z_scores
from vicious.report.adaptive import Block, Server
from vicious.report.frames import Group, OverSeeds
from vicious.report.judged import SHOWN, words
from vicious.report.style import COLOURS, DOUBLE, SINGLE, SMALL
from vicious.report.text import ABOUT_SEEDS, Text, counts
from vicious.report.z_scores import Ruler
from vicious.results.schema import DETECTION, SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "defense"
DETECTORS = tuple(name for name in SHOWN if name != COMBINED)
ACROSS = 2
"""Panels side by side."""
_LEAST = 0.1  # dB, the least width of an axis: smaller differences mean nothing
_ROOM = 0.75  # room for names beside the points, as a share of the points' width
_NAMES = 0.65  # where names begin, as a share of the panel's width
_PANEL, _LINE = 1.45, 0.118  # inches: least height of a panel; of a name, so that a panel has room for all of them


@dataclass(frozen=True)
class Point:
    """A server, and the detector that sees it most: whose mean z-score over the server's models is the largest. Models
    without a score count as failed."""

    server: Server
    detector: str
    z_score: OverSeeds

    @property
    def name(self) -> str:
        """Of the server, in short."""
        if self.server.hidden:
            return f"{self._penalty} + {self.server.hidden}" if self._penalty else f"code {self.server.hidden}"
        return self._penalty or "no evasion"

    @property
    def _penalty(self) -> str:
        attack = self.server.attack
        return f"{short(attack.evades)} {attack.evasion:g}" if attack.evasion else ""


def z_scores_of(block: Block, server: Server, detector: str, n: int) -> OverSeeds | None:
    """One detector's z-scores over a server's models; None where verdicts on honest models do not vary."""
    ruler = Ruler.of(_scores(block.honest, detector, n)["score"])
    if ruler is None:
        return None
    found = ruler.z_scores(_scores(server, detector, n)).to_numpy(dtype=float)
    return frames.over_seeds(found, len(found))


def points(block: Block, n: int) -> list[Point]:
    """The points of all vicious servers of which some detector has a z-score, and whose best attack is known."""
    found = []
    for server in block.vicious:
        judged = [(name, z_scores_of(block, server, name, n)) for name in _judged(block)]
        known = [Point(server, name, one) for name, one in judged if one is not None and math.isfinite(one.mean)]
        if known and math.isfinite(server.attack.over_seeds("psnr").mean):
            found.append(max(known, key=lambda one: one.z_score.mean))
    return found


@style.applied()
def draw(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw the largest z-score of each server against the PSNR of its best attack, a panel for each dataset and kind of
    outputs."""
    found, n = adaptive.blocks(summary, scores), int(scores["n_user"].max())
    source = {block.dataset: block.source for block in found}
    failed = [*frames.failed_seeds(_attacks(found)), *adaptive.without_score(found, DETECTORS), *_unscaled(found, n)]
    rows = -(-len(found) // ACROSS)
    columns = min(len(found), ACROSS)
    around: dict[str, Any] = {
        "failed": failed,
        "handles": _legend(found, n),
        "titles": [style.once(source)],
        "width": DOUBLE if columns > 1 else SINGLE,
        "across": 4 if columns > 1 else 2,
    }
    height = max(_PANEL, *(_LINE * (1 + len(points(block, n))) for block in found))
    with style.page(rows, columns, 0.5 + (0.45 + height) * rows, **around) as (figure, axes):
        for ax in axes.flat[len(found) :]:
            ax.set_axis_off()
        for ax, block in zip(axes.flat, found, strict=False):
            _draw(ax, block, n, _LINE / height)
            outputs = [block.outputs] if len({each.outputs for each in found}) > 1 else []
            ax.set_title(", ".join([style.heading(block.dataset, source), *outputs]), loc="left", pad=4)
        for ax in axes.flat[len(found) - columns : len(found)]:
            ax.set_xlabel("PSNR of the server's best attack (dB)", labelpad=2)
        figure.supylabel(f"largest z-score, n = {n:,}", fontsize=8)
    return figure


def text(summary: pd.DataFrame, scores: pd.DataFrame) -> Text:
    found, n = adaptive.blocks(summary, scores), int(scores["n_user"].max())
    codes = sorted({server.hidden for block in found for server in block.servers} - {""})
    evaded = [against(name) for name in adaptive.evaded(found)]
    return Text(
        "What it costs a server to go undetected: the largest z-score that the detectors below give its models, from "
        f"n = {n:,} user images, against the PSNR (dB) of its best attack. Below the upper dashed line none flags it. "
        f"Further right is worse for privacy. {counts(_attacks(found))}",
        (
            z_scores.MEANING,
            f"Colour: the detector whose z-score is the largest, of {', '.join(map(words, _all_judged(found)))}. "
            "Others may give larger ones.",
            f"{adaptive.about_attacks(summary)} Vertical line: the {frames.attack_words(summary)['honest']} on honest "
            "models.",
            f"A number is the weight of the penalty against {' or '.join(evaded)}." if evaded else "",
            f"Hollow: hidden codes ({', '.join(codes)}), which have the PSNR of the model whose outputs they hide: "
            "hiding changes neither accuracy nor reconstruction."
            if codes
            else "",
            f"{ABOUT_SEEDS} {_models(found)}",
            z_scores.axis_words((block.dataset, _z_scores(block, n)) for block in found),
            adaptive.conditions(summary, found),
        ),
        [*adaptive.failures(found, DETECTORS), *_unscaled(found, n)],
    )


def write(summary: Path, detection: Path, out: Destination) -> tuple[Path, ...]:
    rows, scores = read_table(SUMMARY, summary), read_table(DETECTION, detection)
    return style.write_figure(out, draw(rows, scores), text(rows, scores))


def _attacks(found: Iterable[Block]) -> list[Group]:
    return [server.attack for block in found for server in block.servers if not server.hidden]


def _scores(server: Server, detector: str, n: int) -> pd.DataFrame:
    return server.scores.loc[(server.scores["detector"] == detector) & (server.scores["n_user"] == n)]


def _judged(block: Block) -> list[str]:
    there = set(block.scores["detector"])
    return [name for name in DETECTORS if name in there]


def _all_judged(found: Iterable[Block]) -> list[str]:
    there = {name for block in found for name in _judged(block)}
    return [name for name in DETECTORS if name in there]


def _z_scores(block: Block, n: int) -> list[float]:
    return _ends(point.z_score for point in points(block, n))


def _ends(cells: Iterable[OverSeeds]) -> list[float]:
    """Mean minus and plus standard deviation of each; where there is none, the mean."""
    known = [(cell.mean, cell.sd if math.isfinite(cell.sd) else 0.0) for cell in cells]
    return [end for mean, sd in known for end in (mean - sd, mean + sd)]


def _draw(ax: Axes, block: Block, n: int, least: float) -> None:
    """Draw a panel whose names are ``least`` apart, as a share of its height."""
    z_scores.draw_thresholds(ax)
    honest, shown = block.honest.attack.over_seeds("psnr"), points(block, n)
    places = {point.name: point.server.attack.over_seeds("psnr") for point in shown}
    known = _ends(one for one in (honest, *places.values()) if math.isfinite(one.mean))
    if not shown or not known:
        style.say(ax, "nothing to compare")
        return
    z_scores.scale(ax, _ends(point.z_score for point in shown))
    wide = max(max(known) - min(known), _LEAST)
    ax.set_xlim(min(known) - 0.08 * wide, max(known) + _ROOM * wide)
    for point in shown:
        _mark(ax, point)
    if math.isfinite(honest.mean):
        ax.axvline(honest.mean, color=COLOURS["honest"], linewidth=1.0, zorder=1)
        ax.text(
            *(honest.mean, 0.03, " honest"),
            transform=ax.get_xaxis_transform(), color=COLOURS["honest"], fontsize=SMALL, va="bottom",
        )  # fmt: skip
    _name(ax, {point.name: (places[point.name].mean, point.z_score.mean) for point in shown}, least)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    ax.tick_params(pad=2)


def _mark(ax: Axes, point: Point) -> None:
    """A point with the standard deviations over its models."""
    x, y = point.server.attack.over_seeds("psnr"), point.z_score
    across, up = ([one.sd] if math.isfinite(one.sd) else None for one in (x, y))
    filled = {"markerfacecolor": "white"} if point.server.hidden else {}
    look: dict[str, Any] = {"marker": "o", "markersize": 4, "markeredgewidth": 0.9, "elinewidth": 0.5, **filled}
    ax.errorbar(
        [x.mean], [y.mean], xerr=across, yerr=up, color=SHOWN[point.detector], linestyle="none", zorder=3, **look
    )


def _name(ax: Axes, at: Mapping[str, tuple[float, float]], least: float) -> None:
    """The name of each point at the right of the panel, tied to it."""
    to_share = ax.transData + ax.transAxes.inverted()
    places = style.apart({name: float(to_share.transform(point)[1]) for name, point in at.items()}, least)
    low, high = min(places.values()), max(places.values())
    within = max(1 - least / 2 - (high - low), 0.0)
    moved = np.clip(low, least / 2, max(within, least / 2)) - low
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    for name, height in places.items():
        style.tie(ax, name, (_NAMES, height + moved), at[name], ha="left", va="center", bbox=box)


def _legend(found: Sequence[Block], n: int) -> list[Line2D]:
    seen = {point.detector for block in found for point in points(block, n)}
    look: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": "none"}
    handles = [Line2D([], [], color=SHOWN[name], label=words(name), **look) for name in DETECTORS if name in seen]
    return [*handles, z_scores.thresholds_handle()]


def _unscaled(found: Iterable[Block], n: int) -> Iterator[str]:
    for block in found:
        honest = {name: Ruler.of(_scores(block.honest, name, n)["score"]) for name in _judged(block)}
        names = [words(name) for name, ruler in honest.items() if ruler is None]
        if names:
            yield f"{frames.title(block.dataset)}: honest verdicts by {', '.join(names)} do not vary"


def _models(found: Iterable[Block]) -> str:
    counts = (
        (block.dataset, ", ".join(f"{one.models} {one.name.removeprefix('vicious, ')}" for one in block.servers))
        for block in found
    )
    return frames.listed("Models judged", counts)
