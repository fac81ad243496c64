"""What the predicted label does to the logits does not reach the decoders; what it does not, does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vicious.defense.features import ENOUGH, features
from vicious.defense.linear_decodability import LINEAR_DECODABILITY
from vicious.defense.own_decoder import OWN_DECODER
from vicious.models.hidden import hide

K = 6
MANY, FEW = ENOUGH * K, ENOUGH * K - 1


def own(logits, multilabel=False):
    return features(logits, logits, multilabel)[0]


def drawn(n, outputs=K, seed=0):
    return np.random.default_rng(seed).normal(size=(n, outputs))


def stretched(logits, shift, factor):
    """The gaps times a factor and moved by a shift of each predicted class."""
    label, top = logits.argmax(1), logits.max(1, keepdims=True)
    gaps = (top - logits) * factor[label][:, None] + shift[label][:, None]
    return np.where(np.arange(logits.shape[1]) == label[:, None], top, top - gaps)


@pytest.mark.parametrize("n", [FEW, MANY, 100])
def test_what_the_class_does_to_all_gaps_is_gone(n):
    logits, generator = drawn(n), np.random.default_rng(1)
    moved = stretched(logits, generator.uniform(0, 1e4, K), 10.0 ** generator.uniform(-3, 3, K))
    np.testing.assert_allclose(own(moved), own(logits), atol=1e-7)


def test_with_many_images_a_shift_of_each_output_by_the_class_is_gone():
    logits = drawn(100)
    shift = np.random.default_rng(1).uniform(-1e3, 0, (K, K))
    np.fill_diagonal(shift, 1e3)
    np.testing.assert_allclose(own(logits + shift[logits.argmax(1)]), own(logits), atol=1e-9)


@pytest.mark.parametrize("n", [FEW, 100])
def test_a_shift_of_all_logits_of_an_image_is_gone(n):
    logits = drawn(n)
    np.testing.assert_allclose(own(logits + 1e3 * drawn(n, 1, seed=1)), own(logits), atol=1e-9)


@pytest.mark.parametrize("n", [FEW, 100])
def test_a_largest_logit_beyond_all_others_hides_none_of_them(n):
    logits = drawn(n)
    top = np.arange(K) == logits.argmax(1)[:, None]
    found = own(np.where(top, 1e20, logits))
    assert (np.abs(np.where(top, 0, found)).sum(1) > 0).all()
    if n == FEW:
        np.testing.assert_allclose(found, own(logits), atol=1e-9)


def test_of_attributes_what_each_does_to_its_own_logit_is_gone():
    logits, generator = drawn(40), np.random.default_rng(1)
    side = (logits >= 0).astype(int)
    factor, shift = 10.0 ** generator.uniform(-3, 3, (2, K)), generator.uniform(0, 1e3, (2, K))
    moved = logits * np.take_along_axis(factor, side, 0)
    moved += np.where(side, 1, -1) * np.take_along_axis(shift, side, 0)
    np.testing.assert_allclose(own(moved, True), own(logits, True), atol=1e-7)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("n", [FEW, 100])
def test_new_images_are_read_by_what_is_known_of_the_first(n, multilabel):
    logits = drawn(n)
    known, asked = features(logits, logits[::2], multilabel)
    np.testing.assert_array_equal(asked, known[::2])
    np.testing.assert_allclose(known.std(0), 1)
    assert np.isfinite(features(logits, drawn(30, seed=3), multilabel)[1]).all()


def test_a_class_that_is_new_has_nothing_to_compare_with():
    logits = drawn(100)
    logits[:, 0] = -9
    new = drawn(5)
    new[:, 0] = 9
    assert not features(logits, new, False)[1].any()


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("n", [FEW, 100])
@pytest.mark.parametrize("value", [0.0, 3.3e10, -1e-14])
def test_constant_outputs_have_no_features(n, multilabel, value):
    assert not own(np.full((n, K), value), multilabel).any()


@pytest.mark.parametrize("n", [FEW, 100])
def test_small_outputs_are_outputs(n):
    np.testing.assert_allclose(own(1e-14 * drawn(n)), own(drawn(n)), atol=1e-9)


def test_two_classes_have_a_gap():
    found = own(drawn(20, 2))
    assert (np.abs(found).sum(1) > 0).all()


@pytest.mark.parametrize("detector", [LINEAR_DECODABILITY, OWN_DECODER], ids=lambda one: one.name)
def test_a_shifted_code_scores_as_the_code_itself(made, detector):
    evidence = made(100, leak=1.0)
    honest, told = (detector.score(one) for one in (made(100), evidence))
    assert told > honest + 0.2

    def hidden(logits):
        return hide(torch.from_numpy(logits), "shifted", multilabel=False).numpy()

    moved = replace(evidence, logits=hidden(evidence.logits), query=lambda images: hidden(evidence.query(images)))
    assert np.abs(moved.logits - evidence.logits).max() > 10
    assert detector.score(moved) == pytest.approx(told, abs=1e-6)
