"""Membership inference by a threshold on the loss, against plain counting and SciPy."""

from math import pi, sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from vicious.metrics.membership import FPRS, loss_threshold
from vicious.system.errors import MetricError

RNG = np.random.default_rng(3)
TIED = RNG.integers(0, 12, 70) / 4, RNG.integers(0, 14, 90) / 4
APART = RNG.exponential(0.4, 300), RNG.exponential(1.0, 250)
CASES = [TIED, APART, APART[::-1], (np.zeros(20), np.zeros(30)), (np.arange(5.0), np.arange(5.0) + 5)]


def rates(members: Any, non_members: Any) -> list[tuple[float, float]]:
    """True and false positive rate at every threshold that a loss may lie below."""
    thresholds = [*np.unique(np.concatenate([members, non_members])), np.inf]
    return [(float((members < one).mean()), float((non_members < one).mean())) for one in thresholds]


@pytest.mark.parametrize(("members", "non_members"), CASES)
def test_the_auc_is_the_mann_whitney_statistic(members: NDArray[Any], non_members: NDArray[Any]) -> None:
    pairs = len(members) * len(non_members)
    expected = stats.mannwhitneyu(non_members, members).statistic / pairs
    found = loss_threshold(members, non_members)
    difference = non_members[None] - members[:, None]
    assert found.auc == pytest.approx(expected)
    assert found.auc == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())
    assert 0 <= found.auc_low <= found.auc <= found.auc_high <= 1


@pytest.mark.parametrize(("members", "non_members"), CASES)
def test_advantage_and_rates_are_those_of_the_best_of_all_thresholds(
    members: NDArray[Any], non_members: NDArray[Any]
) -> None:
    fprs = (0.01, 0.05, 0.3)
    found = loss_threshold(members, non_members, fprs)
    every = rates(members, non_members)
    assert found.advantage == pytest.approx(max(tpr - fpr for tpr, fpr in every))
    greater = stats.ks_2samp(members, non_members, alternative="greater").statistic
    assert found.advantage == pytest.approx(max(greater, 0.0))
    for fpr, tpr in zip(fprs, found.tpr, strict=True):
        if fpr * len(non_members) < 1:
            assert tpr is None, "one non-member is more than that"
        else:
            fewer = int(fpr * len(non_members) + 1e-9) / len(non_members)
            assert tpr == pytest.approx(max(true for true, false in every if false < fewer - 1e-12))


@pytest.mark.parametrize(("n", "known"), [(99, (False, False)), (100, (True, False)), (1000, (True, True))])
def test_a_rate_below_one_non_member_is_not_told(n: int, known: Any) -> None:
    losses = np.arange(n) / n
    found = loss_threshold(losses, losses)
    assert FPRS == (0.01, 0.001)
    assert tuple(one is not None for one in found.tpr) == known
    assert all(one == pytest.approx(fpr, abs=1.01 / n) for one, fpr in zip(found.tpr, FPRS, strict=True) if one)


def test_a_share_that_rounds_below_a_whole_number_of_images_counts_it() -> None:
    losses = np.arange(100.0)
    assert 0.29 * 100 < 29
    assert loss_threshold(losses, losses, (0.29,)).tpr == (0.28,), "28 lie below the 29th"


def test_the_interval_is_that_of_delong_with_all_pairs_at_hand() -> None:
    for members, non_members in (TIED, APART):
        difference = non_members[None] - members[:, None]
        won = (difference > 0) + 0.5 * (difference == 0)
        error = sqrt(won.mean(1).var(ddof=1) / len(members) + won.mean(0).var(ddof=1) / len(non_members))
        found = loss_threshold(members, non_members)
        assert found.auc_high - found.auc == pytest.approx(stats.norm.ppf(0.975) * error)
        assert found.auc - found.auc_low == pytest.approx(stats.norm.ppf(0.975) * error)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_intervals_hold_the_true_auc_in_19_of_20_samples(scale: float) -> None:
    """Of exponential losses, where it is 1 / (1 + scale)."""
    generator, truth = np.random.default_rng(11), 1 / (1 + scale)
    held = 0
    for _ in range(1000):
        found = loss_threshold(generator.exponential(scale, 150), generator.exponential(1.0, 200))
        held += found.auc_low <= truth <= found.auc_high
    assert 925 <= held <= 970


def test_without_leakage_all_is_at_chance() -> None:
    generator = np.random.default_rng(5)
    found = [loss_threshold(generator.exponential(size=1500), generator.exponential(size=1000)) for _ in range(300)]
    assert np.mean([one.auc for one in found]) == pytest.approx(0.5, abs=0.003)
    assert found[0].advantage_chance == pytest.approx(sqrt(pi / 8 * (1 / 1500 + 1 / 1000)))
    assert np.mean([one.advantage for one in found]) == pytest.approx(found[0].advantage_chance, rel=0.06)
    for place, fpr in enumerate(FPRS):
        share = np.mean([one.tpr[place] or 0.0 for one in found])
        assert share == pytest.approx(fpr, rel=0.2), "no more than the false positive rate"


def test_neither_order_nor_a_growing_map_of_the_losses_matters() -> None:
    members, non_members = APART
    found = loss_threshold(members, non_members)
    assert loss_threshold(members[::-1], RNG.permutation(non_members)) == found
    assert loss_threshold(np.sqrt(members), np.sqrt(non_members)) == found


@pytest.mark.parametrize(
    ("members", "non_members", "words"),
    [
        (np.array([]), np.ones(3), "no losses of members were given"),
        (np.ones(3), np.ones(1), "losses of non-members: at least two are needed, got 1"),
        (np.ones(3), np.ones((3, 1)), r"losses of non-members must have the shape \(n\), got \(3, 1\)"),
        (np.array([0.0, np.nan]), np.ones(3), "losses of members must be finite"),
        (np.ones(3), np.array([1.0, np.inf]), "losses of non-members must be finite"),
        (np.ones(3, int), np.ones(3), "losses of members must be floating point numbers"),
    ],
)
def test_what_is_no_list_of_losses_is_refused(members: Any, non_members: Any, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        loss_threshold(members, non_members)


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1])
def test_a_rate_that_is_none_is_refused(fpr: float) -> None:
    with pytest.raises(MetricError, match="false positive rates must lie between 0 and 1"):
        loss_threshold(np.ones(3), np.ones(3), (fpr,))
