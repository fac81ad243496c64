"""Linear decodability against a plain computation, and on evidence that is odd."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from vicious.defense.decodability import COMPONENTS, PENALTIES
from vicious.defense.detector import Evidence
from vicious.defense.detectors.linear_decodability import measure as score


def evidence(n: int = 100, outputs: int = 5, leak: float = 0.0, seed: int = 0) -> Evidence:
    """Images of a class mean plus a hidden factor; logits that tell the class and, with ``leak``, the factor."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(outputs, size=n)
    factors = generator.normal(size=(n, outputs))
    means, loadings = generator.random((outputs, 64)), generator.normal(size=(outputs, 64)) * 0.1
    images = np.clip(means[labels] + factors @ loadings, 0, 1)
    logits = 10 * np.eye(outputs)[labels] + leak * factors + 0.1 * generator.normal(size=(n, outputs))
    return Evidence(images.reshape(n, 1, 8, 8).astype(np.float32), labels, logits)


def test_an_honest_code_scores_near_zero_and_a_leak_is_seen() -> None:
    assert abs(score(evidence(200))) < 0.05
    scores = [score(evidence(200, leak=leak)) for leak in (0.0, 0.05, 0.1, 0.5)]
    assert scores == sorted(scores)
    assert scores[-1] > 0.5


def test_agrees_with_scikit_learn() -> None:
    e = evidence(60, leak=0.5)
    label = np.eye(5)[e.logits.argmax(1)]
    both = np.hstack([(e.logits - e.logits.mean(0)) / e.logits.std(0), label])

    codes = PCA(COMPONENTS, svd_solver="full").fit_transform(e.pixels)

    def error(features: Any) -> float:
        totals = []
        for penalty in PENALTIES:
            total = 0.0
            for held in range(60):
                rest = np.arange(60) != held
                model = Ridge(alpha=penalty).fit(features[rest], codes[rest])
                total += ((model.predict(features[held : held + 1]) - codes[held]) ** 2).sum()
            totals.append(total)
        return min(totals)

    assert score(e) == pytest.approx(1 - error(both) / error(label), abs=1e-9)


def test_is_deterministic_and_bounded() -> None:
    e = evidence(50, leak=1.0)
    assert score(e) == score(e) <= 1


def test_scale_and_shift_of_logits_do_not_matter() -> None:
    e = evidence(80, leak=0.5)
    moved = Evidence(e.images, e.labels, 1000 * e.logits + 7)
    assert score(moved) == pytest.approx(score(e), abs=1e-9)


@pytest.mark.parametrize("outputs", [2, 200])
def test_odd_numbers_of_outputs_have_an_answer(outputs: int) -> None:
    assert np.isfinite(score(evidence(20, outputs)))


def test_attributes_have_an_answer() -> None:
    e = evidence(50, leak=1.0)
    bits = (e.logits > 0).astype(np.int64)
    assert np.isfinite(score(Evidence(e.images, bits, e.logits)))


def test_constant_outputs_tell_nothing() -> None:
    e = evidence(50)
    assert score(Evidence(e.images, e.labels, np.ones_like(e.logits))) == pytest.approx(0.0, abs=1e-9)


def test_equal_images_leave_nothing_to_explain() -> None:
    e = evidence(50)
    assert score(Evidence(np.full_like(e.images, 0.5), e.labels, e.logits)) == 0.0
