"""How vicious each model looks to a detector."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vicious.defense.evaluation.groups import standard
from vicious.report import frames, style
from vicious.report.judged import words
from vicious.report.style import BETA, COLOURS, DOUBLE, PALE, SINGLE, SMALL
from vicious.report.text import Text, span
from vicious.results.schema import ATTACK_OF, DETECTION, SUMMARY, check_table, read_table
from vicious.study.artifacts import Destination
from vicious.study.grid import Role
from vicious.system.errors import DataError

EXPERIMENT = "defense"
DETECTOR = "linear_decodability"  # the detector that the figure shows unless another one is asked for
_MODELS: dict[Role, str] = {"honest": "honest model", "vicious": "vicious model", "autoencoder": "autoencoder"}
_UNITS = {"linear_decodability": "share of the leading components' variance\nexplained beyond the predicted label"}
_LINE = ["dataset", "role", "outputs", "beta_r"]  # what the models of one line have in common
_Key = tuple[str, Role, str, float]


@style.applied()
def draw(summary: pd.DataFrame, scores: pd.DataFrame, detector: str = DETECTOR) -> Figure:
    check_table(SUMMARY, summary)
    chosen = _chosen(scores, detector)
    counts, numbers = _counts(chosen), _numbers(chosen)
    heights = _heights(counts)
    width = SINGLE if len(numbers) == 1 and not _several(counts, 2) else DOUBLE
    shape = 1, len(numbers), max(1.6, 0.8 + 0.17 * len(heights))
    around: dict[str, Any] = {"width": width, "handles": _legend(counts)}
    with style.page(*shape, sharey=True, sharex=True, **around) as (figure, ((*axes,),)):
        for ax, number in zip(axes, numbers, strict=True):
            _draw(ax, chosen.loc[chosen["n_user"] == number], heights)
            ax.set_title(f"n = {number:,} user images", pad=4)
        _names(axes[0], counts, heights, frames.sources(summary))
        figure.supxlabel(f"{style.plain(words(detector))}:\n{_UNITS.get(detector, 'score')}", fontsize=8)
    return figure


def text(summary: pd.DataFrame, scores: pd.DataFrame, detector: str = DETECTOR) -> Text:
    chosen = _chosen(scores, detector)
    shown = summary.loc[summary["dataset"].isin(chosen["dataset"])]
    failed = int(chosen["score"].isna().sum())
    draws = sorted(set(chosen.groupby([*_LINE, "seed", "n_user"], dropna=False).size()))
    return Text(
        f"Scores of the detector {words(detector)} on honest and vicious models; higher looks more vicious. A dot for "
        f"each trained model, the mean over {span(draws)} samples of n = "
        f"{', '.join(f'{number:,}' for number in _numbers(chosen))} of the user's images; lines: range over samples.",
        ("n beside each name: models with a score.", frames.conditions(shown)),
        [f"{failed} of {len(chosen)} scores; models without any are counted in the panels"] if failed else [],
    )


def write(summary: Path, detection: Path, out: Destination) -> tuple[Path, ...]:
    """Write the figure for :data:`DETECTOR`, or the first that there is where that was not asked for."""
    rows, scores = read_table(SUMMARY, summary), read_table(DETECTION, detection)
    detector = DETECTOR if DETECTOR in set(scores["detector"]) else str(scores["detector"].iloc[0])
    return style.write_figure(out, draw(rows, scores, detector), text(rows, scores, detector))


def _chosen(scores: pd.DataFrame, detector: str) -> pd.DataFrame:
    """The rows of a detector, of models trained in the study's own way; NaN for scores that failed."""
    check_table(DETECTION, scores)
    chosen = scores.loc[(scores["detector"] == detector) & standard(scores)]
    if chosen.empty:
        known = ", ".join(sorted(str(name) for name in scores["detector"].unique()))
        raise DataError(f"no scores of the detector {detector}; there are: {known}: choose one of these")
    return chosen.assign(score=chosen["score"].where(chosen["status"] == "ok"))


def _numbers(chosen: pd.DataFrame) -> list[int]:
    return sorted(int(number) for number in chosen["n_user"].unique())


def _order(key: _Key) -> tuple[tuple[int, int, str], int, str, float]:
    return frames.order(key[0]), list(ATTACK_OF).index(key[1]), *key[2:]


def _counts(chosen: pd.DataFrame) -> dict[_Key, str]:
    """How many models of each line have a score, and how many have none: in catalogue order, honest before vicious."""
    scored = chosen["score"].notna().groupby([chosen[name] for name in (*_LINE, "n_user", "seed")]).any()
    counts = {cast(_Key, key): _count(has) for key, has in scored.groupby(level=_LINE)}
    return {key: counts[key] for key in sorted(counts, key=_order)}


def _count(scored: "pd.Series[bool]") -> str:
    by_number = scored.groupby(level="n_user")
    failed = int((~scored).groupby(level="n_user").sum().max())
    counts = sorted({int(count) for count in by_number.sum()})
    if counts == [0]:
        return f"{failed} failed"
    return f"n = {span(counts)}" + (f"; {failed} failed" if failed else "")


def _heights(keys: Iterable[_Key]) -> dict[Any, float]:
    """Of the lines, from 0 downwards: a heading by a dataset's name, then a line for each kind of its models."""
    lines: list[Any] = []
    for key in keys:
        lines += [key] if key[0] in lines else [key[0], key]
    return {line: float(height) for height, line in enumerate(lines)}


def _several(keys: Iterable[_Key], part: int) -> bool:
    """Whether the vicious models differ in outputs (2) or beta_R (3), so that names must say which."""
    return len({key[part] for key in keys if key[1] == "vicious"}) > 1


def _draw(ax: Axes, panel: pd.DataFrame, heights: Mapping[Any, float]) -> None:
    for found, models in panel.groupby(_LINE, dropna=False):
        _, role, outputs, _ = cast(_Key, found)
        y = heights[found]
        scored = models.dropna(subset="score").assign(line=y)
        if scored.empty:
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            style.say(ax, "failed", 0.5, y, transform=ax.get_yaxis_transform(), bbox=paper)
            continue
        look: dict[str, Any] = style.marker(role, outputs != "softmax") | {"markersize": 4}
        sns.pointplot(
            scored,
            **{"x": "score", "y": "line", "hue": "seed", "palette": [COLOURS[role]] * scored["seed"].nunique()},
            **{"orient": "h", "native_scale": True, "dodge": False, "legend": False, "ax": ax},
            **{"errorbar": ("pi", 100), "err_kws": {"linewidth": 0.7, "alpha": 0.6}, "linestyle": "none", "zorder": 3},
            **{name: value for name, value in look.items() if name != "color"},
        )
    for line, y in heights.items():
        if not isinstance(line, str):
            ax.axhline(y, color=PALE, linewidth=0.3, zorder=0)
    ax.set(xlabel="", ylabel="", facecolor="none", ylim=(len(heights) - 0.4, -0.6))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _names(ax: Axes, counts: Mapping[_Key, str], heights: Mapping[Any, float], source: dict[str, str]) -> None:
    ax.set_yticks([heights[key] for key in counts], [_name(key, counts) for key in counts])
    for dataset in dict.fromkeys(key[0] for key in counts):
        text = style.plain(frames.marked_title(dataset, source.get(dataset, "")))
        # Its line is empty in all panels, so a long name may reach into the next one.
        look: dict[str, Any] = {"va": "center", "fontsize": SMALL, "weight": "bold"}
        ax.text(0, heights[dataset], text, transform=ax.get_yaxis_transform(), **look).set_in_layout(False)


def _name(key: _Key, counts: Mapping[_Key, str]) -> str:
    _, role, outputs, beta_r = key
    details = [outputs] if _several(counts, 2) and outputs else []
    details += [f"{BETA} = {beta_r:g}"] if _several(counts, 3) and role == "vicious" else []
    return f"{', '.join([role, *details])} ({counts[key]})"


def _legend(keys: Iterable[_Key]) -> list[Line2D]:
    there = {key[1] for key in keys}
    handles = [style.role_handle(role, name) for role, name in _MODELS.items() if role in there]
    if any(key[2] == "softmax" for key in keys):
        handles.append(style.role_handle("vicious", "hollow: softmax outputs", filled=False))
    return handles
