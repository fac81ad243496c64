"""z-scores of verdicts, by the mean and standard deviation of those on honest models, and the axis that shows them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vicious.defense.evaluation.groups import MODEL
from vicious.defense.evaluation.thresholds import SPREADS
from vicious.report import frames
from vicious.report.style import DASHED, GREY, PALE

_ORDERS = 30.0
"""Values beyond this have an axis that is logarithmic beyond the threshold."""
MEANING = (
    "z-score: a model's mean score over samples, minus the mean of the verdicts on honest models of the same dataset, "
    "divided by the standard deviation of these verdicts. A verdict is the score of one sample. Dashed: thresholds of "
    "a user who has honest models only. Above the upper one a model's mean score is flagged, beyond either it is "
    "outside."
)


@dataclass(frozen=True)
class Ruler:
    """Mean and standard deviation (ddof 1, above 0) of the verdicts of one detector on the honest models of one dataset
    at one number of user images; a verdict is one sample of them."""

    mean: float
    sd: float

    @classmethod
    def of(cls, verdicts: "pd.Series[float]") -> "Ruler | None":
        """From scores, missing ones left out; None where they do not vary, or are fewer than two."""
        known = verdicts.dropna().to_numpy(dtype=float)
        # Rounding gives equal scores a standard deviation above 0.
        return cls(float(known.mean()), float(known.std(ddof=1))) if len(known) and np.ptp(known) > 0 else None

    def z_scores(self, scores: pd.DataFrame) -> "pd.Series[float]":
        """The z-score of each model's mean score over samples, by model in order; NaN without a score.

        The scores are of the same detector, dataset and number of images.
        """
        return (scores.groupby(list(MODEL), dropna=False, sort=True)["score"].mean() - self.mean) / self.sd


def draw_thresholds(ax: Axes) -> None:
    """A pale line at the mean of honest verdicts, and dashed ones at the user's thresholds."""
    ax.axhline(0, color=PALE, linewidth=0.6, zorder=0)
    for threshold in (SPREADS, -SPREADS):
        ax.axhline(threshold, color=GREY, linewidth=0.8, linestyle=DASHED, zorder=1)


def thresholds_handle() -> Line2D:
    return Line2D([], [], color=GREY, linewidth=0.8, linestyle=DASHED, label=f"user's thresholds (±{SPREADS:g})")


def scale(ax: Axes, z_scores: Iterable[float]) -> None:
    """A vertical axis with all z-scores and the thresholds on it; logarithmic beyond them where values differ by
    orders."""
    known = list(z_scores)
    low, high = min([-SPREADS, *known]), max([SPREADS, *known])
    if not logarithmic(known):
        edge = 0.12 * (high - low)
        ax.set_ylim(low - edge, high + edge)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        return
    ax.set_yscale("symlog", linthresh=SPREADS)
    ax.set_ylim(low * 2 - 1, high * 2)
    top = math.ceil(math.log10(max(-low, high)))
    ticks = [sign * 10.0**power for sign in (-1, 1) for power in range(1, top + 1, max(1, top // 2))]
    ax.yaxis.set_major_locator(FixedLocator([0.0, *(tick for tick in ticks if low * 2 - 1 <= tick <= high * 2)]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace("-", "−")))
    ax.yaxis.set_minor_locator(NullLocator())


def logarithmic(z_scores: Iterable[float]) -> bool:
    return max(map(abs, z_scores), default=0.0) > _ORDERS


def label(n: int, rows: int) -> str:
    """The name of the vertical axis, in two lines where a single row of panels leaves no height for one."""
    gap = "\n" if rows == 1 else " "
    return f"z-score by{gap}honest verdicts, n = {n:,}"


def axis_words(z_scores: Iterable[tuple[str, Iterable[float]]]) -> str:
    """A sentence on the datasets whose z-scores make an axis logarithmic; "" without any."""
    names = dict.fromkeys(frames.title(dataset) for dataset, values in z_scores if logarithmic(values))
    return f"Vertical axis logarithmic beyond {SPREADS:g}: {', '.join(names)}." if names else ""
