"""Membership inference by a threshold on the loss: which of some images a model was trained on.

An image is called a member, that is a training image, where the model's loss on it lies below a threshold: Yeom,
Giacomelli, Fredrikson and Jha, "Privacy risk in machine learning: analyzing the connection to overfitting" (CSF 2018).
How many members are found while hardly any other image is called one: Carlini et al., "Membership inference attacks
from first principles" (S&P 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.metrics.checks import check_axes, check_values
from vicious.system.errors import MetricError

FPRS = (0.01, 0.001)
"""False positive rates at which true positive rates are given."""
CHANCE_AUC = 0.5
"""AUC of a guess. Its advantage is 0, and its true positive rate is the false positive rate."""
_Z = 1.959963984540054
"""Standard deviations on either side that hold 95% of a normal distribution."""
_ROUNDING = 1e-9
"""Of a share times a number of images, which may come out just below a whole number."""
Losses = NDArray[np.float64]


@dataclass(frozen=True)
class LossThreshold:
    """How well a threshold on the loss tells members from non-members.

    Attributes:
        auc: chance that a member's loss is smaller than a non-member's, ties counting half, in [0, 1].
        auc_low, auc_high: ends of its 95% interval over images, in [0, 1].
        advantage: largest true minus false positive rate over all thresholds, in [0, 1].
        advantage_chance: the advantage to expect where members and non-members do not differ, above 0.
        tpr: true positive rate, in [0, 1], at each of the false positive rates that were asked for; None at one that so
            few non-members cannot resolve.
    """

    auc: float
    auc_low: float
    auc_high: float
    advantage: float
    advantage_chance: float
    tpr: tuple[float | None, ...]


def loss_threshold(members: NDArray[Any], non_members: NDArray[Any], fprs: Sequence[float] = FPRS) -> LossThreshold:
    """How well a threshold on the loss tells m members from n non-members.

    The AUC is the Mann-Whitney statistic over m n. Its interval is the mean plus and minus 1.96 standard errors, within
    [0, 1]: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves" (Biometrics 44, 1988). It has no width where all images are told apart.

    The threshold of the advantage is chosen on these images, so that it is above 0 by chance: on average by
    sqrt(pi / 8 (1/m + 1/n)), the mean of the one-sided Kolmogorov-Smirnov statistic of many images (Smirnov, "On the
    estimation of the discrepancy between empirical curves of distribution for two independent samples", 1939).

    Args:
        members: losses of training images, (m,), m at least 2.
        non_members: losses of images that the model was not trained on, (n,), n at least 2.
        fprs: false positive rates, each in (0, 1). One below 1/n cannot be told from 0.

    Raises:
        MetricError: another shape, fewer than two images, losses that are not finite, or a rate outside (0, 1).
    """
    if not all(0 < fpr < 1 for fpr in fprs):
        raise MetricError(f"false positive rates must lie between 0 and 1, got {', '.join(map(str, fprs))}")
    inside, outside = _sorted(members, "losses of members"), _sorted(non_members, "losses of non-members")
    m, n = len(inside), len(outside)
    found = 1 - _places(inside, outside)  # of each member, the share of non-members with a larger loss
    auc = float(found.mean())
    wide = _Z * sqrt(found.var(ddof=1) / m + _places(outside, inside).var(ddof=1) / n)
    return LossThreshold(
        auc=auc,
        auc_low=max(auc - wide, 0.0),
        auc_high=min(auc + wide, 1.0),
        advantage=_advantage(inside, outside),
        advantage_chance=sqrt(pi / 8 * (1 / m + 1 / n)),
        tpr=tuple(_true_positives(inside, outside, fpr) for fpr in fprs),
    )


def _sorted(values: NDArray[Any], what: str) -> Losses:
    check_axes(values, what, n=None)
    check_values(values, what)
    if len(values) < 2:
        raise MetricError(f"{what}: at least two are needed, got {len(values)}")
    return np.sort(np.asarray(values, dtype=np.float64))


def _places(values: Losses, others: Losses) -> Losses:
    """Of each value the share of others that are smaller, those alike counting half; both sorted."""
    smaller, not_larger = (np.searchsorted(others, values, side) for side in ("left", "right"))
    shares: Losses = (smaller + not_larger) / (2 * len(others))
    return shares


def _advantage(members: Losses, non_members: Losses) -> float:
    """Largest difference of the shares that are not above a threshold; at the ends it is 0."""
    thresholds = np.concatenate([members, non_members])
    rates = (np.searchsorted(one, thresholds, "right") / len(one) for one in (members, non_members))
    return max(float(np.subtract(*rates).max()), 0.0)


def _true_positives(members: Losses, non_members: Losses, fpr: float) -> float | None:
    """Share of members below the k-th smallest loss of non-members, k = ``fpr`` n rounded down; None where k is 0.

    Where the loss tells nothing that is k / (n + 1) on average. A threshold just below the next non-member, which has
    the same false positive rate, would find one part in k more by chance.
    """
    allowed = floor(fpr * len(non_members) + _ROUNDING)
    return float(np.searchsorted(members, non_members[allowed - 1], "left") / len(members)) if allowed else None
