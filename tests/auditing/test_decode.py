"""Reconstructions of held-out images: by decoders that did not see them, no better than the label without a leak."""

from typing import Any

import numpy as np
import pytest
from audited import evidence
from sklearn.kernel_ridge import KernelRidge

from vicious.auditing.decode import FOLDS, decode
from vicious.defense.beyond_label import LABEL
from vicious.defense.detector import standardised
from vicious.system.errors import MetricError


def errors(leak: float, n: int = 120) -> tuple[float, float, float]:
    given = evidence(n, leak)
    found = decode(given.logits, given.pixels, False, 0)
    first, of_label, mean = (
        float(((one - given.pixels) ** 2).mean()) for one in (found.images, found.of_label, found.mean)
    )
    return first, of_label, mean


def test_it_reads_what_leaks() -> None:
    read, of_label, mean = errors(2.0)
    assert read < 0.6 * of_label < 0.6 * mean


def test_it_reads_no_more_than_the_label_where_nothing_leaks() -> None:
    read, of_label, _ = errors(0.0)
    assert read == pytest.approx(of_label, rel=0.05)


def test_an_image_does_not_change_its_own_reconstruction() -> None:
    """A pixel that only one image has must not appear in its reconstruction."""
    given = evidence(40, 2.0)
    pixels = given.pixels.copy()
    pixels[7, 0] = 1.0
    found, before = (decode(given.logits, one, False, 0) for one in (pixels, given.pixels))
    np.testing.assert_array_equal(found.images[7], before.images[7])
    assert np.abs(found.images - before.images).max() > 0


def test_halves_are_equal_and_the_same_each_time() -> None:
    given = evidence(41, 1.0)
    one, other = (decode(given.logits, given.pixels, False, seed=3) for _ in range(2))
    assert sorted(np.bincount(one.fold)) == [20, 21]
    assert one.fold.max() + 1 == FOLDS
    np.testing.assert_array_equal(one.images, other.images)


def test_the_fit_is_that_of_scikit_learn() -> None:
    """The chosen reconstruction is one of those that kernel ridge regression gives with the kernels that are tried."""
    from vicious.auditing import decode as code

    given = evidence(60, 2.0)
    found = code.decode(given.logits, given.pixels, False, 0)
    rest, asked = found.fold == 1, found.fold == 0
    scaled, label = standardised(given.logits), given.predicted
    mean = given.pixels[rest].mean(0)
    tried: list[Any] = []
    for own, other in code._kernels(scaled[rest], scaled[asked]):
        size = np.trace(own) / len(own)
        for penalty in code.PENALTIES:
            kernel = own / (penalty * size) + LABEL * label[rest] @ label[rest].T
            cross = other / (penalty * size) + LABEL * label[asked] @ label[rest].T
            ridge = KernelRidge(alpha=1.0, kernel="precomputed").fit(kernel, given.pixels[rest] - mean)
            tried.append(np.clip(mean + ridge.predict(cross), 0, 1))
    assert min(np.abs(one - found.images[asked]).max() for one in tried) < 1e-8


def test_attributes_and_too_few_images() -> None:
    given = evidence(30, 1.0)
    assert decode(given.logits - 4, given.pixels, True, 0).images.shape == given.pixels.shape
    with pytest.raises(MetricError, match="at least 4 images"):
        decode(given.logits[:3], given.pixels[:3], False, 0)
