"""Paired differences over models and images: intervals that cover, against scipy and by simulation."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from vicious.metrics.paired import POWER, Comparison, holm, paired_means, seeds_to_show
from vicious.system.errors import MetricError


def paired(differences: Any) -> Comparison:
    """Of one measure, (n,) for each seed."""
    (found,) = paired_means([np.asarray(values)[:, None] for values in differences])
    return found


def test_one_seed_has_the_interval_of_its_images_and_no_p() -> None:
    values = np.random.default_rng(0).normal(0.1, 2, 50)
    mean, low, high, p = paired([values])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))
    assert np.isnan(p)


def test_where_images_do_not_vary_it_is_a_t_test_over_seeds() -> None:
    seeds = np.array([0.3, 0.5, 0.1, 0.4])
    mean, low, high, p = paired([np.full(20, value) for value in seeds])
    expected = stats.ttest_1samp(seeds, 0)
    ends = expected.confidence_interval(0.95)
    assert (mean, low, high, p) == pytest.approx((seeds.mean(), ends.low, ends.high, expected.pvalue))


def test_seeds_that_share_the_hardness_of_images_do_not_narrow_the_interval() -> None:
    image = np.random.default_rng(2).normal(0, 1, 400)
    one, three = paired([image]), paired([image, image, image])
    # Averaging three independent samples would make it 1.7 times narrower.
    assert three[2] - three[1] == pytest.approx(one[2] - one[1])


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("deviation", [0.0, 0.03, 0.3])
def test_intervals_cover_and_p_is_honest_whatever_varies(seeds: int, deviation: float) -> None:
    """A skewed distribution of images: a normal one would flatter any method."""
    generator = np.random.default_rng([seeds, int(100 * deviation)])
    runs = []
    for _ in range(500):
        image = generator.exponential(1, 150) - 1
        runs.append(
            paired([image + generator.normal(0, deviation) + generator.normal(0, 0.3, 150) for _ in range(seeds)])
        )
    assert np.mean([low <= 0 <= high for _, low, high, _ in runs]) > 0.92
    assert np.mean([p < 0.05 for *_, p in runs]) < 0.075


def test_a_true_difference_is_found() -> None:
    generator = np.random.default_rng(1)
    mean, low, high, p = paired([generator.normal(0.5 + generator.normal(0, 0.05), 1, 500) for _ in range(5)])
    assert low < 0.5 < high
    assert mean == pytest.approx(0.5, abs=0.1)
    assert p < 0.001


def test_equal_differences_have_no_width() -> None:
    assert paired([np.zeros(10)] * 2) == (0, 0, 0, 1)
    assert paired([np.full(10, 2.0)] * 2) == (2, 2, 2, 0)
    assert paired([np.ones(1)])[:3] == (1, 1, 1)


def test_seeds_may_differ_in_their_images() -> None:
    mean, low, high, _ = paired([np.full(50, 1.0), np.full(20, 3.0)])
    assert mean == pytest.approx(2)
    assert (low, high) == pytest.approx(stats.ttest_1samp([1.0, 3.0], 0).confidence_interval(0.95))
    generator = np.random.default_rng(3)
    wide = paired([generator.normal(1, 1, 50), generator.normal(3, 1, 20)])
    assert wide[1] < 2 < wide[2]


def test_measures_are_apart_from_each_other() -> None:
    generator = np.random.default_rng(4)
    both = [generator.normal(0, 1, (30, 2)) for _ in range(3)]
    expected = [paired([values[:, column] for values in both]) for column in range(2)]
    np.testing.assert_allclose(paired_means(both), expected)


@pytest.mark.parametrize("bad", [[], [np.empty(0)], [np.array([1.0, np.nan])], [np.array([np.inf])]])
def test_what_are_no_differences_is_refused(bad: Any) -> None:
    with pytest.raises(MetricError):
        paired(bad)
    with pytest.raises(MetricError, match=r"\(n, m\)"):
        paired_means([np.ones((3, 2, 1))])


def test_holm_by_hand_and_in_any_order() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([np.nan, 0.02, 0.5, np.nan])), [np.nan, 0.04, 0.5, np.nan])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []
    with pytest.raises(MetricError):
        holm(np.array([1.5]))


def test_holm_errs_in_one_of_twenty_families() -> None:
    """Of five comparisons three have no difference: any of these called significant is an error of the family."""
    generator = np.random.default_rng(5)
    z = generator.normal([0, 0, 0, 3, 4], 1, (4000, 5))
    wrong = [(holm(2 * stats.norm.sf(np.abs(row)))[:3] < 0.05).any() for row in z]
    assert np.mean(wrong) < 0.055


@pytest.mark.parametrize("deviation", [0.05, 0.1, 0.2])
def test_so_many_seeds_do_show_the_effect(deviation: float) -> None:
    """By simulation: with the number told, about that share of studies finds the effect; with far fewer, less."""
    generator, effect = np.random.default_rng(int(1000 * deviation)), 0.2

    def study(seeds: int) -> list[Any]:
        image = generator.normal(0, 0.6, 100)
        return [(effect + generator.normal(0, deviation) + image)[:, None] for _ in range(seeds)]

    (needed,) = seeds_to_show(study(400), effect)
    assert needed is not None
    found = np.mean([paired_means(study(needed))[0][3] < 0.05 for _ in range(400)])
    assert POWER - 0.12 < found < POWER + 0.15
    if needed > 3:
        fewer = np.mean([paired_means(study(needed // 2 + 1))[0][3] < 0.05 for _ in range(400)])
        assert fewer < found - 0.1


def test_what_no_number_of_seeds_shows_is_none() -> None:
    generator = np.random.default_rng(3)
    image = generator.normal(0, 10, (50, 1))
    assert seeds_to_show([image, image + 0.01], 0.2) == [None], "images alone vary by more"
    assert seeds_to_show([image], 0.2) == [None]
    calm = [np.full((50, 1), 0.1), np.full((50, 1), 0.1)]
    assert seeds_to_show(calm, 0.2) == [2]
    with pytest.raises(MetricError, match="above 0"):
        seeds_to_show(calm, 0.0)
