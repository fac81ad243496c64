"""The exact test: as many false alarms as stated where outputs follow the label alone, and it finds what is there."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from vicious.defense.beyond_label import LABEL, PENALTIES
from vicious.defense.decodability import COMPONENTS
from vicious.defense.detector import Evidence, standardised
from vicious.defense.exact import Exact, exact_test
from vicious.defense.gaps import gaps
from vicious.system.errors import MetricError

K = 5


def evidence(n: int, leak: float, seed: int = 0, bent: bool = False, multilabel: bool = False) -> Evidence:
    """Images of K classes that vary in 4 directions, and logits with ``leak`` times a code of these."""
    generator, fixed = np.random.default_rng(seed), np.random.default_rng(1)
    label, place = generator.integers(K, size=n), generator.normal(size=(n, 4))
    directions, classes, code = fixed.normal(size=(4, 64)), fixed.normal(size=(K, 64)), fixed.normal(size=(4, K))
    images = 1 / (1 + np.exp(-(classes[label] + place @ directions + 0.2 * generator.normal(size=(n, 64)))))
    written = np.abs(place) @ code if bent else place @ code
    # The size of the noise differs by class: whatever follows the label alone is no leak.
    noise = generator.normal(size=(n, K)) * (1 + label[:, None]) / 3
    logits = 9 * np.eye(K)[label] + leak * written + noise
    labels = (logits >= 0).astype(np.int64) if multilabel else label
    return Evidence(images.reshape(n, 1, 8, 8).astype(np.float32), labels, logits, seed=seed)


@pytest.mark.parametrize("n", [15, 40])
def test_false_alarms_are_as_rare_as_stated(n: int) -> None:
    found = np.array([exact_test(evidence(n, 0.0, seed), 19).p for seed in range(400)])
    for level in (0.05, 0.25, 0.5):
        assert (found <= level).mean() == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 400))


def test_it_finds_a_code_and_says_how_much() -> None:
    weak, strong = exact_test(evidence(150, 0.5)), exact_test(evidence(150, 3.0))
    assert weak.p == strong.p == 1 / 1000
    assert 0.05 < weak.effect < strong.effect < 1
    assert exact_test(evidence(150, 0.0)).effect == pytest.approx(0, abs=0.05)


def test_a_bent_code_is_found_by_the_gaussian_kernel() -> None:
    """Absolute values have no linear part."""
    assert exact_test(evidence(300, 3.0, bent=True), 99).p == 0.01


def test_attributes_are_exchanged_where_all_of_them_agree() -> None:
    found = exact_test(evidence(120, 2.0, multilabel=True), 99)
    assert found.p == 0.01
    assert 0 < found.exchanged <= found.images == 120


def test_the_same_seed_gives_the_same_verdict() -> None:
    assert exact_test(evidence(40, 0.2), 99) == exact_test(evidence(40, 0.2), 99)


def test_the_statistic_is_that_of_leaving_out_one_image_at_a_time() -> None:
    """Against a plain loop of ridge regressions, each without the image that it is judged on."""
    n, given = 24, evidence(24, 1.0)
    label = given.predicted
    of_label = LABEL * label @ label.T

    def beyond(values: Any) -> Any:
        return values - np.stack([values[(label == one).all(1)].mean(0) for one in label])

    outputs = standardised(beyond(standardised(given.logits)))
    centred = given.pixels - given.pixels.mean(0)
    codes = centred @ np.linalg.svd(beyond(centred))[2][:COMPONENTS].T

    def error(kernel: Any) -> Any:
        total = 0.0
        for one in range(n):
            rest = np.arange(n) != one
            solution = np.linalg.solve(kernel[np.ix_(rest, rest)] + np.eye(n - 1), codes[rest])
            total += ((codes[one] - kernel[one, rest] @ solution) ** 2).sum()
        return total

    simple = []
    for view in (outputs, gaps(given.logits, given.logits, False)[0]):
        squares = ((view[:, None] - view[None]) ** 2).sum(2)
        simple += [view @ view.T, np.exp(-squares / np.median(squares[np.triu_indices(n, 1)]))]
    kernels = (*simple, *(one * (label @ label.T) for one in simple))
    errors = [error(one / (penalty * np.trace(one) / n) + of_label) for one in kernels for penalty in PENALTIES]
    found = exact_test(given, 19)
    assert found.effect + found.by_chance == pytest.approx(1 - min(errors) / error(of_label))


def test_few_images_are_exchanged_in_every_way() -> None:
    """With three exchangeable images p is that of all six orders, up to the draws."""
    generator = np.random.default_rng(0)
    images = generator.random((12, 1, 8, 8)).astype(np.float32)
    logits = np.full((12, 10), -5.0)
    logits[np.arange(12), [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] = 5
    logits[:3] += generator.normal(size=(3, 10)) * 0.1
    given = Evidence(images, np.zeros(12, np.int64), logits)
    found = exact_test(given, 4999)
    assert found.exchanged == 3
    moved = []
    for order in permutations(range(3)):
        places = [*order, *range(3, 12)]
        other = exact_test(Evidence(images[places], np.zeros(12, np.int64), logits), 19)
        moved.append(other.effect + other.by_chance)
    share = np.mean([value >= found.effect + found.by_chance - 1e-9 for value in moved])
    assert found.p == pytest.approx(share, abs=0.03)


def test_outputs_that_follow_the_label_alone_give_nothing_away() -> None:
    given = evidence(30, 0.0)
    sure = Evidence(given.images, given.labels, 9 * np.eye(K)[given.labels])
    assert exact_test(sure) == Exact(1.0, 0.0, 0.0, 999, 30, 30)


def test_what_cannot_be_exchanged_is_refused() -> None:
    generator = np.random.default_rng(0)
    images, labels = generator.random((10, 1, 8, 8)).astype(np.float32), np.arange(10)
    with pytest.raises(MetricError, match="no two of the same predicted label that differ"):
        exact_test(Evidence(images, labels, np.eye(10)))
    with pytest.raises(MetricError, match="no two of the same predicted label that differ"):
        exact_test(Evidence(np.ones((10, 1, 8, 8), np.float32), np.zeros(10, np.int64), generator.normal(size=(10, 2))))
    with pytest.raises(MetricError, match="at least 19 exchanges"):
        exact_test(evidence(10, 0.0), 18)
