"""R against the share of the variance that the leading components kept explain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vicious.report import frames, style
from vicious.report.estimators import Profile, profiles, read_estimators, settings
from vicious.report.frames import PUBLISHED
from vicious.report.style import BETA, COLOURS, DASHED, DOUBLE, GREY, MARKERS, PALE, RISK, RISK95, SINGLE, SMALL
from vicious.report.text import ABOUT_RISK, ABOUT_SEEDS, Text
from vicious.results.schema import SUMMARY, Role, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
_TICKS = {0.5: "50", 0.9: "90", 0.99: "99", 0.999: "99.9", 0.9999: "99.99"}
_ALL = 5.0  # where all components stand: their share, 1, would be infinitely far to the right
_NOTHING = 1e-9  # share of the variance that is none: rounding
_LAST = 4.4  # where other shares end: all that are larger stand here
_CLOSE = 1.6  # distance of two marks below which their names stand to either side
_SHIFTS = {"right": -1.5, "center": 0.0, "left": 1.5}
"""Distance of a name from its mark in typographic points, by the side that is set flush."""
_LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)))  # of vicious models by growing beta_R
_COLUMNS = 3


@style.applied()
def draw(estimators: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw R against the share of variance kept, and below it R over that of the honest models, for each task.

    Means over seeds with bands of one sd. Shown is the first kind of outputs: honest models, vicious models
    of each beta_R, the autoencoder, and the mean image of the class that the honest model predicts.
    ``estimators`` has rows of estimators.csv.
    """
    shown = _shown(estimators, summary)
    source = frames.sources(summary)
    betas = sorted({profile.group.beta_r for profile in shown if profile.group.role == "vicious"})
    columns = min(_COLUMNS, len(source))
    lines = -(-len(source) // columns)
    handles = _legend(shown, betas, frames.model_words(summary))
    wide = columns > 1
    across = (len(handles) if len(handles) <= 5 else 4) if wide else 2
    around: dict[str, Any] = {"handles": handles, "across": across}
    around["titles"] = style.once(source), frames.attack_line(summary)
    around |= {"failed": frames.failed_seeds([profile.group for profile in shown]), "width": DOUBLE if wide else SINGLE}
    ratios = {"height_ratios": [1.3, 1] * lines}
    with style.page(2 * lines, columns, 0.45 + 2.6 * lines, gridspec_kw=ratios, **around) as (figure, axes):
        above, below = axes[::2].ravel(), axes[1::2].ravel()
        for ax, small, task in zip(above, below, source, strict=False):
            here = [profile for profile in shown if profile.group.task == task]
            of_task = estimators.loc[estimators["task"] == task]
            _draw(ax, small, here, of_task.loc[of_task["status"] == "ok"], betas)
            ax.set_title(style.heading(task, source), pad=13)
        for ax in (*above[len(source) :], *below[len(source) :]):
            ax.set_axis_off()
        for ax, small in zip(above[::columns], below[::columns], strict=True):
            ax.set_ylabel(f"{RISK} (no unit)")
            small.set_ylabel(f"{RISK} / {RISK} honest")
        for index in range(max(0, len(source) - columns), len(source)):
            below[index].set_xlabel("variance kept (%)")
    return figure


def text(estimators: pd.DataFrame, summary: pd.DataFrame) -> Text:
    shown = _shown(estimators, summary)
    groups = [profile.group for profile in shown]
    honest = f"{frames.attack_words(summary)['honest']} on honest models"
    kinds = dict.fromkeys(summary["outputs"])
    first = ", ".join(dict.fromkeys(group.outputs for group in groups))
    left_out = f"Shown for {first}; other outputs are in the CSV of the table of estimators." if len(kinds) > 1 else ""
    return Text(
        "Profile of the reconstruction risk: R (no unit) on the fewest leading components that explain a share of the "
        f"variance, against that share in %. Lower panels: R over that of the {honest}. Curves: "
        f"{frames.spread(groups)}; bands: one standard deviation.",
        (
            frames.about_best(summary, "R"),
            "The axis is logarithmic in the share left out, except that all shares between "
            f"{100 * (1 - 10**-_LAST):.3f}% and 100% are drawn at one place.",
            f"Lower panels (logarithmic): over seeds that both have; below 1 the {honest} counts as riskier.",
            "Thin black: R of the mean image of the class that the honest model predicts. Vertical lines: R95, and the "
            f"published R (cut-off 1.2e-07 d, for d pixels).{frames.risk_elsewhere(summary)}",
            f"{ABOUT_RISK} {ABOUT_SEEDS}",
            left_out,
            frames.conditions(summary, risk=True),
        ),
        frames.failures(groups),
    )


def write(estimators: Path, summary: Path, out: Destination) -> tuple[Path, ...]:
    rows, found = read_table(SUMMARY, summary), read_estimators(estimators)
    return style.write_figure(out, draw(found, rows), text(found, rows))


def position(share: float) -> float:
    """Where a share of the variance stands: ``-log10(1 - share)``, which ends short of where all of it stands."""
    left_out = 1.0 - share
    return _ALL if left_out < _NOTHING else min(-float(np.log10(left_out)), _LAST)


def _shown(estimators: pd.DataFrame, summary: pd.DataFrame) -> list[Profile]:
    """The groups of each task's first kind of outputs."""
    found = profiles(estimators, summary)
    first: dict[str, str] = {}
    for profile in found:
        first.setdefault(profile.group.task, profile.group.outputs)
    return [profile for profile in found if profile.group.outputs == first[profile.group.task]]


def _draw(ax: Axes, small: Axes, here: Sequence[Profile], ok: pd.DataFrame, betas: Sequence[float]) -> None:
    """R of one task, and in the small panel R over that of the honest models, a curve for each other model."""
    shares = _shares(ok)
    honest = next((profile for profile in here if profile.group.role == "honest"), None)
    for profile in here:
        look = _look(profile, betas)
        _curve(ax, {name: profile.by_seed(name) for name in shares}, shares, look)
        if profile is honest:
            of_labels = {name: profile.by_seed(name, "risk_class_mean") for name in shares}
            _curve(ax, of_labels, shares, {"color": "black", "linewidth": 0.6}, band=False)
        elif honest:
            _curve(small, {name: ratios(profile, honest, name) for name in shares}, shares, look)
    _frame(ax, ok, {"color": GREY, "linestyle": DASHED}, "failed")
    _frame(small, ok, {"color": COLOURS["honest"]}, "nothing to compare", named=False)
    small.set_yscale("log")
    style.log_marks(small)


def _frame(ax: Axes, ok: pd.DataFrame, one: dict[str, Any], lacking: str, *, named: bool = True) -> None:
    """All of a panel but its curves; ``one`` is the look of the line at 1."""
    if ax.has_data():
        ax.axhline(1.0, linewidth=0.8, zorder=0, **one)
    else:
        style.say(ax, lacking)
        ax.set_yticks([])
    _marks(ax, ok, named=named)
    ax.set_xticks([*(position(share) for share in _TICKS), _ALL], [*_TICKS.values(), "all"])
    ax.set_xlim(position(0.5) - 0.15, _ALL + 0.15)
    ax.margins(y=0.08)


def ratios(profile: Profile, honest: Profile, estimator: str) -> dict[float, float]:
    """R of a model over that of the honest one of the same seed, by the seeds that both have."""
    mine, theirs = profile.by_seed(estimator), honest.by_seed(estimator)
    return {seed: mine[seed] / theirs[seed] for seed in mine if seed in theirs}


def _look(profile: Profile, betas: Sequence[float]) -> dict[str, Any]:
    role = profile.group.role
    line = _LINES[betas.index(profile.group.beta_r) % len(_LINES)] if role == "vicious" else "-"
    return {"color": COLOURS[role], "linestyle": line, "marker": MARKERS[role]}


def _curve(
    ax: Axes, values: Mapping[str, Mapping[float, float]], shares: Mapping[str, float], look: Any, *, band: bool = True
) -> None:
    """Means over seeds of the estimators' values where they stand, with a band of one sd."""
    points = [(shares[name], value) for name, of_seeds in values.items() for value in of_seeds.values()]
    frame = pd.DataFrame(points, columns=["x", "y"]).dropna()
    if len(frame):
        errors = {"errorbar": "sd" if band else None, "err_kws": {"alpha": 0.2, "linewidth": 0, "zorder": 2}}
        dots = {"linewidth": 1.0, "zorder": 3, "markersize": 2.2, "markeredgewidth": 0.8}
        dots["markeredgecolor"] = look["color"]
        sns.lineplot(frame, x="x", y="y", legend=False, ax=ax, **errors, **dots | look)
        ax.set(xlabel="", ylabel="")


def _shares(ok: pd.DataFrame) -> dict[str, float]:
    """The positions of the estimators that keep a share, by name, from left to right."""
    found = settings(ok)
    found = found.loc[found["kind"] == "share"].sort_values("parameter")
    kept = ok.drop_duplicates("estimator").set_index("estimator")["share"]
    names = zip(found["estimator"], found["parameter"], strict=True)
    return {name: _ALL if parameter >= 1 else position(float(kept[name])) for name, parameter in names}


def _marks(ax: Axes, ok: pd.DataFrame, *, named: bool = True) -> None:
    """Thin vertical lines where the two headline figures stand, their names apart from each other."""
    kept = ok.drop_duplicates("estimator").set_index("estimator")["share"]
    names = {"share 0.95": RISK95, PUBLISHED: f"published {RISK}"}
    marks = sorted((position(float(kept[estimator])), text) for estimator, text in names.items() if estimator in kept)
    close = len(marks) > 1 and marks[1][0] - marks[0][0] < _CLOSE
    for index, (at, text) in enumerate(marks):
        ax.axvline(at, color=PALE, linewidth=0.7, zorder=0)
        if not named:
            continue
        side = "right" if at >= _LAST or (close and not index) else "left" if close else "center"
        words: dict[str, Any] = {"ha": side, "va": "bottom", "fontsize": SMALL, "color": GREY}
        offset: dict[str, Any] = {"xytext": (_SHIFTS[side], 1), "textcoords": "offset points"}
        ax.annotate(text, (at, 1.0), xycoords=ax.get_xaxis_transform(), **offset, **words)


def _legend(shown: Sequence[Profile], betas: Sequence[float], words: Mapping[Role, str]) -> list[Line2D]:
    roles = {profile.group.role for profile in shown}
    handles = [_handle("honest", words["honest"])] if "honest" in roles else []
    for index, beta in enumerate(betas):
        label = words["vicious"] + (f", {BETA} = {beta:g}" if len(betas) > 1 else "")
        handles.append(_handle("vicious", label, _LINES[index % len(_LINES)]))
    if "autoencoder" in roles:
        handles.append(_handle("autoencoder", words["autoencoder"]))
    if "honest" in roles:
        handles.append(Line2D([], [], color="black", linewidth=0.6, label="predicted class mean"))
    return [*handles, style.mean_image_handle()]


def _handle(role: str, label: str, line: Any = "-") -> Line2D:
    look: dict[str, Any] = {"color": COLOURS[role], "marker": MARKERS[role], "markersize": 2.2, "linewidth": 1.0}
    return Line2D([], [], label=label, linestyle=line, **look)
