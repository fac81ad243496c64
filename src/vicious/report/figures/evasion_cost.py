"""What it costs a server to go undetected: verdicts against what is reconstructed."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from vicious.defense.evaluation.combined import NAME as COMBINED
from vicious.report import adaptive, frames, style, z_scores
from vicious.report.adaptive import Block, Server
from vicious.report.frames import Group, OverSeeds
from vicious.report.judged import SHOWN, words
from vicious.report.style import COLOURS, GREY, RISK95, SMALL
from vicious.report.text import ABOUT_SEEDS, Text, counts
from vicious.report.z_scores import Ruler
from vicious.results.schema import DETECTION, SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "defense"
DETECTORS = tuple(name for name in SHOWN if name != COMBINED)
_PANELS = {"psnr": "PSNR of the server's best attack (dB)", "risk95": f"{RISK95} of the server's best attack"}
_CODES = {"shuffled": "D", "folded": "s", "shifted": "P", "keyed": "*"}  # markers of hidden codes; others get a cross
_Look = tuple[str, str | tuple[int, tuple[int, ...]], str]
_EVADING: dict[str, _Look] = {
    "linear_decodability": ("o", "-", "\u25cb"),
    "distance_correlation": ("^", ":", "\u25b3"),
    "both": ("v", "--", "\u25bd"),
    "kernel_decodability": ("s", "-.", "\u25a1"),
    "students": ("d", (0, (4, 1, 1, 1, 1, 1)), "\u25c7"),
}
"""Of servers that evade a detector: marker, line, and sign beside weights, where they evade several detectors."""
_EVADING_ANOTHER: _Look = ("x", (0, (1, 2)), "\u00d7")
_LEAST = {"psnr": 0.1, "risk95": 0.01}  # least width of an axis, in its units: smaller differences mean nothing
_APART = 0.075  # least distance of two weights above a panel, as a share of its width
_SIGNED_APART = 0.1  # the same of weights with a sign
_ABOVE = "numbers above the panels: weight of the penalty"


@dataclass(frozen=True)
class Point:
    """One detector on one server: z-scores over its models, where those without a score count as failed."""

    server: Server
    z_score: OverSeeds


def points(block: Block, detector: str, n: int) -> list[Point]:
    """The points of all vicious servers, by growing penalty, hidden codes last; none where verdicts on honest models do
    not vary."""
    ruler = Ruler.of(_scores(block.honest, detector, n)["score"])
    if ruler is None:
        return []
    models = [(server, ruler.z_scores(_scores(server, detector, n)).to_numpy(dtype=float)) for server in block.vicious]
    return [Point(server, frames.over_seeds(scores, len(scores))) for server, scores in models]


@style.applied()
def draw(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw verdicts against PSNR (left) and R95 (right) of the best attack, a row for each dataset and kind of
    outputs."""
    found, n = adaptive.blocks(summary, scores), int(scores["n_user"].max())
    source = {block.dataset: block.source for block in found}
    failed = [*frames.failed_seeds(_attacks(found)), *adaptive.without_score(found, DETECTORS), *_unscaled(found, n)]
    titles = style.once(source), _ABOVE if adaptive.evaded(found) else ""
    around: dict[str, Any] = {"failed": failed, "handles": _legend(found, summary), "titles": titles}
    with style.page(len(found), len(_PANELS), 0.55 + 1.35 * len(found), sharey="row", **around) as (figure, axes):
        for row, block in zip(axes, found, strict=True):
            for ax, measure in zip(row, _PANELS, strict=True):
                _draw(ax, block, measure, n)
            z_scores.scale(row[0], _z_scores(block, n))
            name, *mark = style.short_heading(block.dataset, source).split("\n")
            outputs = [block.outputs] if len({each.outputs for each in found}) > 1 else []
            row[0].set_ylabel("\n".join([name, *outputs, *mark]), fontsize=SMALL)
        for ax, title in zip(axes[-1], _PANELS.values(), strict=True):
            ax.set_xlabel(title, labelpad=2)
        figure.supylabel(z_scores.label(n, len(found)), fontsize=8)
    return figure


def text(summary: pd.DataFrame, scores: pd.DataFrame) -> Text:
    found, n = adaptive.blocks(summary, scores), int(scores["n_user"].max())
    attacks = _attacks(found)
    codes = _codes(found)
    evaded = [words(name) for name in adaptive.evaded(found)]
    return Text(
        f"What it costs a server to go undetected: z-scores of its models by detectors, from samples of n = {n:,} user "
        "images, against PSNR (dB) and R95 (no unit) of its best attack. Further right is worse for privacy. "
        f"{counts(attacks)}",
        (
            z_scores.MEANING,
            f"{adaptive.about_attacks(summary)} Vertical line: the {frames.attack_words(summary)['honest']} on honest "
            "models.",
            "Lines start at the vicious server without adaptive penalty (0). Numbers above the panels: growing weights "
            f"of the penalty against {' or '.join(evaded)}{', a line for each' if len(evaded) > 1 else ''}."
            if evaded
            else "",
            f"Hidden codes ({', '.join(codes)}) have the PSNR and R95 of the model whose outputs they hide: "
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


def _z_scores(block: Block, n: int) -> list[float]:
    found = [point.z_score.mean for detector in _judged(block) for point in points(block, detector, n)]
    return [value for value in found if math.isfinite(value)]


def _draw(ax: Axes, block: Block, measure: str, n: int) -> None:
    z_scores.draw_thresholds(ax)
    honest = block.honest.attack.over_seeds(measure)
    if math.isfinite(honest.mean):
        ax.axvline(honest.mean, color=COLOURS["honest"], linewidth=1.0, zorder=1)
    shown = {
        detector: [point for point in points(block, detector, n) if _known(point, measure)]
        for detector in _judged(block)
    }
    for place, (detector, known) in enumerate(shown.items()):
        look = {"color": SHOWN[detector], "zorder": 3 + place}
        _join(ax, [point for point in known if not point.server.hidden], measure, look)
        for point in known:
            if point.server.hidden:
                _bars(ax, [point], measure, look | _hollow(point.server.hidden))
    ax.margins(x=0.08)
    low, high = ax.get_xlim()
    if ax.has_data() and high - low < _LEAST[measure]:
        middle = (low + high) / 2
        ax.set_xlim(middle - _LEAST[measure] / 2, middle + _LEAST[measure] / 2)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    ax.tick_params(pad=2)
    if any(shown.values()):
        _weights(ax, block, measure)
    else:
        style.say(ax, "nothing to compare")


def _join(ax: Axes, shown: Sequence[Point], measure: str, look: dict[str, Any]) -> None:
    """The servers that hide nothing, with a line for each detector evaded, from the server that knows nothing."""
    for evades in adaptive.EVADED:
        _, line, _ = _look(evades)
        joined = [point for point in shown if point.server.attack.evades in ("", evades)]
        x = [point.server.attack.over_seeds(measure).mean for point in joined]
        ax.plot(x, [point.z_score.mean for point in joined], linestyle=line, linewidth=0.9, **look)
    for evades in ("", *adaptive.EVADED):
        alike = [point for point in shown if point.server.attack.evades == evades]
        if alike:
            marker = _look(evades)[0] if evades else "o"
            _bars(ax, alike, measure, look | {"marker": marker, "linestyle": "none"})


def _look(evades: str) -> _Look:
    return _EVADING.get(evades, _EVADING_ANOTHER)


def _known(point: Point, measure: str) -> bool:
    return math.isfinite(point.z_score.mean) and math.isfinite(point.server.attack.over_seeds(measure).mean)


def _bars(ax: Axes, shown: Sequence[Point], measure: str, look: dict[str, Any]) -> None:
    ends = []
    for cells in ([point.server.attack.over_seeds(measure) for point in shown], [point.z_score for point in shown]):
        spreads = [0.0 if math.isnan(cell.sd) else cell.sd for cell in cells]
        ends.append(([cell.mean for cell in cells], spreads if any(spreads) else None))
    (x, across), (y, up) = ends
    ax.errorbar(x, y, xerr=across, yerr=up, linewidth=0.9, elinewidth=0.5, **({"markersize": 3.5} | look))


def _hollow(hidden: str) -> dict[str, Any]:
    look = {"marker": _CODES.get(hidden, "x"), "linestyle": "none", "markersize": 5}
    return look | {"markerfacecolor": "none", "markeredgewidth": 0.9}


def _weights(ax: Axes, block: Block, measure: str) -> None:
    """The weights above the panel, each tied to its points, with signs where several detectors are evaded."""
    several = len(adaptive.evaded([block])) > 1
    at = {}
    for server in block.vicious:
        place = server.attack.over_seeds(measure).mean
        if not server.hidden and math.isfinite(place) and server.models:
            sign = _look(server.attack.evades)[2] if several and server.attack.evades else ""
            at[f"{server.attack.evasion:g}{sign}"] = place
    if len(at) < 2:
        return
    low, high = ax.get_xlim()
    ax.set_xlim(low, high)
    shares = {text: (place - low) / (high - low) for text, place in at.items()}
    for text, share in style.apart(shares, _SIGNED_APART if several else _APART).items():
        style.tie(ax, text, (share, 1.06), (at[text], 0.97), ax.get_xaxis_transform(), va="bottom")


def _legend(found: Sequence[Block], summary: pd.DataFrame) -> list[Line2D]:
    judged = {name for block in found for name in _judged(block)}
    look: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 0.9}
    handles = [Line2D([], [], color=SHOWN[name], label=words(name), **look) for name in DETECTORS if name in judged]
    evaded = adaptive.evaded(found)
    for name in evaded if len(evaded) > 1 else ():
        marker, line, sign = _look(name)
        own = look | {"marker": marker, "linestyle": line}
        handles.append(Line2D([], [], color=GREY, label=f"evading {words(name)} ({sign})", **own))
    handles += [Line2D([], [], color=GREY, label=f"code {code}", **_hollow(code)) for code in _codes(found)]
    label = frames.model_words(summary)["honest"]
    honest = Line2D([], [], color=COLOURS["honest"], linewidth=1.0, label=label)
    return [*handles, z_scores.thresholds_handle(), honest]


def _codes(found: Iterable[Block]) -> list[str]:
    return sorted({server.hidden for block in found for server in block.servers} - {""})


def _unscaled(found: Iterable[Block], n: int) -> Iterator[str]:
    for block in found:
        names = [words(name) for name in _judged(block) if not points(block, name, n)]
        if names:
            yield f"{frames.title(block.dataset)}: honest verdicts by {', '.join(names)} do not vary"


def _models(found: Iterable[Block]) -> str:
    counts = (
        (block.dataset, ", ".join(f"{one.models} {one.name.removeprefix('vicious, ')}" for one in block.servers))
        for block in found
    )
    return frames.listed("Models judged", counts)
