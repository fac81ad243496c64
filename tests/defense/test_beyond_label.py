"""What is read beyond the label: a share of what the label leaves, and nothing where outputs follow the label."""

import numpy as np
import pytest
from audited import CLASSES, evidence

from vicious.defense.beyond_label import explained, explained_by_image, forms, left_out, likeness


def share(n: int, leak: float, seed: int = 0) -> float:
    given = evidence(n, leak, seed)
    images = likeness(given.pixels, given.predicted)
    return float(explained_by_image(left_out(given.logits, given.predicted), images).sum())


@pytest.mark.parametrize("n", [20, 60, 200])
def test_outputs_that_tell_nothing_more_have_no_share(n: int) -> None:
    """With few images of a class, too: what is left of a class sums to zero, and must not be read from the others."""
    assert np.mean([share(n, 0.0, seed) for seed in range(5)]) < 0.05


def test_a_stronger_code_tells_more() -> None:
    weak, strong = share(120, 0.2), share(120, 2.0)
    assert 0.1 < weak < strong < 1
    assert strong > 0.6


def test_each_image_adds_to_the_whole() -> None:
    given = evidence(50, 1.0)
    images = likeness(given.pixels, given.predicted)
    rest = left_out(given.logits, given.predicted)
    whole = explained(forms(rest), images.products, images.unexplained)
    assert explained_by_image(rest, images).sum() == pytest.approx(whole)


def test_a_code_that_differs_by_label_is_read() -> None:
    """Turned upside down for half of the classes, a code has no linear part of its own."""
    given = evidence(200, 2.0)
    sign = np.where(given.labels % 2, -1.0, 1.0)[:, None]
    code = given.logits - 8 * np.eye(CLASSES)[given.labels]
    label = given.predicted
    folded = left_out(8 * np.eye(CLASSES)[given.labels] + sign * code, label)
    assert explained_by_image(folded, likeness(given.pixels, label)).sum() > 0.5


def test_equal_images_leave_nothing_to_explain() -> None:
    given = evidence(20, 1.0)
    assert likeness(np.full((20, 64), 0.5), given.predicted).unexplained == 0
