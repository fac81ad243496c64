"""Bootstrap intervals of means, against theory."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from vicious.metrics.bootstrap import PAIRED_RESAMPLES, Comparison, interval, paired_bootstraps
from vicious.system.errors import MetricError


def paired_bootstrap(differences: Any, **settings: int) -> Comparison:
    """Of one measure, (n,) for each seed."""
    (found,) = paired_bootstraps([values[:, None] for values in differences], **settings)
    return found


def test_bootstrap_interval_covers_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1000)
    low, high = interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * 2 / np.sqrt(1000), rel=0.15)
    assert low < values.mean() < high
    assert interval(values) == (low, high)
    assert interval(np.ones(5)) == (1.0, 1.0)


def test_the_interval_has_the_standard_error_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(0.1, 2, 1000)
    mean, low, high, p = paired_bootstrap([values], resamples=5000)
    assert mean == pytest.approx(values.mean())
    error = values.std(ddof=1) / np.sqrt(1000)
    assert low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)
    assert p == pytest.approx(2 * stats.norm.sf(abs(mean) / error), rel=0.2)


def test_intervals_cover_and_p_is_uniform_when_there_is_no_difference() -> None:
    generator = np.random.default_rng(1)
    # A skewed distribution with mean 0: a normal one would flatter any method.
    runs = [paired_bootstrap([generator.exponential(1, 200) - 1], resamples=1000, seed=run) for run in range(400)]
    covered = np.mean([low <= 0 <= high for _, low, high, _ in runs])
    assert 0.91 < covered < 0.98
    p = np.array([run[3] for run in runs])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.02 < (p < 0.05).mean() < 0.09


def test_seeds_that_share_the_hardness_of_images_do_not_narrow_the_interval() -> None:
    image = np.random.default_rng(2).normal(0, 1, 400)
    one = paired_bootstrap([image])
    three = paired_bootstrap([image, image, image])
    # Averaging three independent samples would make it 1.7 times narrower.
    assert three[2] - three[1] == pytest.approx(one[2] - one[1], rel=0.1)


def test_coverage_with_several_seeds() -> None:
    generator = np.random.default_rng(3)
    runs = []
    for run in range(200):
        image = generator.normal(0, 1, 150)
        seeds = [image + generator.normal(0, 0.03) + generator.normal(0, 0.3, 150) for _ in range(3)]
        runs.append(paired_bootstrap(seeds, resamples=1000, seed=run))
    assert 0.91 < np.mean([low <= 0 <= high for _, low, high, _ in runs]) <= 1
    assert np.mean([p < 0.05 for *_, p in runs]) < 0.09


def test_seeds_are_resampled_as_blocks() -> None:
    # No variation over images: all that is left is the seeds', whose resampled means are known exactly.
    mean, low, high, p = paired_bootstrap([np.full(50, 1.0), np.full(50, 3.0)])
    assert (mean, low, high) == pytest.approx((2, 1, 3))
    assert p == pytest.approx(2 / (PAIRED_RESAMPLES + 1))
    assert paired_bootstrap([np.full(50, -1.0), np.full(50, 3.0)])[3] == pytest.approx(0.5, abs=0.05)


def test_a_clear_difference_has_the_smallest_p_and_none_the_largest() -> None:
    values = np.random.default_rng(4).normal(1, 1, 500)
    for sign in (1, -1):
        mean, low, high, p = paired_bootstrap([sign * values])
        assert low < mean < high
        assert sign * low > 0 < sign * high
        assert p == pytest.approx(2 / (PAIRED_RESAMPLES + 1))
    assert paired_bootstrap([np.zeros(10)]) == (0, 0, 0, 1)


def test_seeds_may_differ_in_their_number_of_images() -> None:
    mean, low, high, _ = paired_bootstrap([np.full(50, 1.0), np.full(20, 3.0)])
    assert (mean, low, high) == pytest.approx((2, 1, 3))


def test_the_same_seed_gives_the_same_numbers() -> None:
    values = [np.random.default_rng(5).normal(0, 1, 300)]
    assert paired_bootstrap(values) == paired_bootstrap(values)
    assert paired_bootstrap(values) != paired_bootstrap(values, seed=1)


@pytest.mark.parametrize("bad", [[], [np.empty(0)], [np.array([1.0, np.nan])], [np.array([np.inf])]])
def test_what_cannot_be_resampled_is_refused(bad: Any) -> None:
    with pytest.raises(MetricError):
        paired_bootstrap(bad)
    with pytest.raises(MetricError, match="1,000"):
        paired_bootstrap([np.ones(3)], resamples=10)
    with pytest.raises(MetricError, match=r"\(n, m\)"):
        paired_bootstraps([np.ones((3, 2, 1))])


@pytest.mark.parametrize("bad", [np.empty(0), np.array([1.0, np.nan]), np.ones((3, 1)), np.float64(1.0)])
def test_an_interval_of_what_are_no_values_is_refused(bad: Any) -> None:
    with pytest.raises(MetricError, match="values"):
        interval(bad)
