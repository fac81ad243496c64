"""What a server can do to the outputs for nothing does not reach those who read the gaps; what the images do, does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from vicious.defense.detector import find_detector
from vicious.defense.gaps import ENOUGH, SEVERAL, gaps
from vicious.models.hidden import hide

K = 6
MANY, FEW = ENOUGH * K, ENOUGH * K - 1
numbers = pytest.mark.parametrize("n", [FEW, MANY, 100])


def own(logits: Any, multilabel: bool = False) -> np.ndarray:
    return gaps(logits, logits, multilabel)[0]


def drawn(n: int, outputs: Any = K, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, outputs))


def is_top(logits: Any) -> Any:
    return np.arange(logits.shape[1]) == logits.argmax(1)[:, None]


def moved(logits: Any, shift: Any, factor: Any) -> Any:
    """The gaps times a factor (n,) and moved by a shift (n,)."""
    top = logits.max(1, keepdims=True)
    return np.where(is_top(logits), top, top - (top - logits) * factor[:, None] - shift[:, None])


def plainly(logits: Any, by_class: Any) -> Any:
    """What the gaps should be, by loops over images and classes."""
    rows = np.zeros_like(logits)
    for row, mine in zip(rows, logits, strict=True):
        others = np.delete(np.arange(len(mine)), mine.argmax())
        row[others] = (mine[others] - mine[others].mean()) / mine[others].std()
    for group in [logits.argmax(1) == label for label in range(K)] if by_class else [np.ones(len(rows), bool)]:
        rows[group] -= rows[group].mean(0)
        rows[group] /= np.sqrt((rows[group] ** 2).sum() / (group.sum() - 1))
    return rows / rows.std(0)


@pytest.mark.parametrize(("n", "by_class"), [(FEW, False), (100, True)])
def test_agrees_with_a_plain_computation(n: Any, by_class: bool) -> None:
    np.testing.assert_allclose(own(drawn(n)), plainly(drawn(n), by_class), atol=1e-9)


@numbers
def test_a_shift_and_a_stretch_of_an_images_gaps_are_gone(n: Any) -> None:
    logits, generator = drawn(n), np.random.default_rng(1)
    changed = moved(logits, generator.uniform(0, 1e3, n), 10.0 ** generator.uniform(-2, 2, n))
    np.testing.assert_allclose(own(changed + generator.normal(size=(n, 1))), own(logits), atol=1e-7)


@numbers
@pytest.mark.parametrize("size", [100, 1e20])
@pytest.mark.parametrize("outputs", [3, 4, K])
def test_noise_on_the_largest_logit_is_gone(n: Any, size: float, outputs: Any) -> None:
    logits = drawn(n, outputs)
    noise = size * np.random.default_rng(1).uniform(size=(n, 1))
    np.testing.assert_allclose(own(np.where(is_top(logits), logits + noise, logits)), own(logits), atol=1e-9)


def test_a_class_has_a_mean_of_its_own() -> None:
    logits = drawn(300)
    pattern = np.random.default_rng(1).uniform(-20, 0, (K, K))
    changed = np.where(is_top(logits), logits, logits + pattern[logits.argmax(1)])
    found, plain = own(changed), own(logits)
    assert np.corrcoef(found.ravel(), plain.ravel())[0, 1] > 0.7
    alone = changed - changed.mean(0)
    assert np.corrcoef((alone / alone.std(0)).ravel(), plain.ravel())[0, 1] < 0.2


def test_of_attributes_a_shift_and_a_stretch_of_all_sizes_are_gone() -> None:
    logits, generator = drawn(40), np.random.default_rng(1)
    factor, shift = 10.0 ** generator.uniform(-2, 2, (40, 1)), generator.uniform(0, 1e3, (40, 1))
    changed = np.where(logits >= 0, 1, -1) * (np.abs(logits) * factor + shift)
    np.testing.assert_allclose(own(changed, True), own(logits, True), atol=1e-7)


def test_each_attribute_is_compared_among_images_with_its_own_value() -> None:
    logits = drawn(40)
    rows = (np.abs(logits) - np.abs(logits).mean(1, keepdims=True)) / np.abs(logits).std(1, keepdims=True)
    for k in range(K):
        for side in (logits[:, k] >= 0, logits[:, k] < 0):
            rest = rows[side, k] - rows[side, k].mean()
            rows[side, k] = rest / rest.std(ddof=1)
    np.testing.assert_allclose(own(logits, True), rows / rows.std(0), atol=1e-9)


@pytest.mark.parametrize("multilabel", [False, True])
@numbers
def test_new_images_are_read_by_what_is_known_of_the_first(n: Any, multilabel: bool) -> None:
    logits = drawn(n)
    known, asked = gaps(logits, logits[::2], multilabel)
    np.testing.assert_array_equal(asked, known[::2])
    np.testing.assert_allclose(known.std(0), 1)
    assert np.isfinite(gaps(logits, drawn(30, seed=3), multilabel)[1]).all()


def test_a_class_that_is_new_has_nothing_to_compare_with() -> None:
    logits, new = drawn(100), drawn(5)
    logits[:, 0], new[:, 0] = -9, 9
    assert not gaps(logits, new, False)[1].any()


@pytest.mark.parametrize("multilabel", [False, True])
@numbers
@pytest.mark.parametrize("value", [0.0, 3.3e10, -1e-14])
def test_constant_outputs_have_no_gaps(n: Any, multilabel: bool, value: float) -> None:
    assert not own(np.full((n, K), value), multilabel).any()


@pytest.mark.parametrize("multilabel", [False, True])
def test_rounding_of_float32_tells_nothing(multilabel: bool) -> None:
    logits = 5.0 + 1e-7 * drawn(100)
    logits[np.arange(100), np.arange(100) % K] = 9.0
    if multilabel:
        logits = 5.0 + 1e-7 * drawn(100)
    assert not own(logits, multilabel).any()


@pytest.mark.parametrize("multilabel", [False, True])
@numbers
def test_small_outputs_are_outputs(n: Any, multilabel: bool) -> None:
    np.testing.assert_allclose(own(1e-14 * drawn(n), multilabel), own(drawn(n), multilabel), atol=1e-9)


@pytest.mark.parametrize("outputs", range(1, SEVERAL + 1))
def test_few_outputs_have_gaps_too(outputs: Any) -> None:
    if outputs > 1:
        assert own(drawn(40, outputs)).std() > 0.5
    assert own(drawn(40, outputs), True).std() > 0.5


def noisy(logits: Any, size: float = 100) -> Any:
    """Noise on the largest logit that the server could draw again from the smallest."""
    noise = size * (1e4 * logits.min(1, keepdims=True) % 1)
    return np.where(is_top(logits), logits + noise, logits)


def very_noisy(logits: Any) -> Any:
    return noisy(logits, 1e15)


def shifted(logits: Any) -> np.ndarray:
    return hide(torch.from_numpy(logits), "shifted", multilabel=False).numpy()


@pytest.mark.parametrize("change", [noisy, very_noisy, shifted])
def test_changes_that_blind_linear_decodability_do_not_blind_all(made: Any, change: Any) -> None:
    honest, evidence = made(200, outputs=8), made(200, outputs=8, leak=1.0)
    hidden = replace(evidence, logits=change(evidence.logits), query=lambda images: change(evidence.query(images)))
    assert np.abs(hidden.logits - evidence.logits).max() > 10
    assert (
        find_detector("linear_decodability").score(hidden) < find_detector("linear_decodability").score(evidence) - 0.3
    )
    for detector in map(find_detector, ("gap_decodability", "distance_correlation")):
        told = detector.score(evidence)
        assert told > detector.score(honest) + 0.2
        assert detector.score(hidden) == pytest.approx(told, abs=1e-6)
    assert find_detector("own_decoder").score(hidden) > find_detector("own_decoder").score(honest) + 0.1


def test_attributes_that_are_shifted_by_their_whole_vector_keep_their_gaps(made: Any) -> None:
    honest, evidence = (made(200, outputs=8, leak=leak, multilabel=True) for leak in (0.0, 1.0))
    hidden = replace(evidence, logits=hide(torch.from_numpy(evidence.logits), "shifted", multilabel=True).numpy())
    told = find_detector("gap_decodability").score(evidence)
    assert told > find_detector("gap_decodability").score(honest) + 0.1
    assert find_detector("gap_decodability").score(hidden) == pytest.approx(told, abs=1e-6)
