"""What every detector must do: see what a model leaks, and answer clearly where there is nothing to see."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import softmax

from vicious.defense.detector import (
    PACKAGE,
    Detector,
    Evidence,
    beyond_label,
    effective_rank,
    find_detector,
    standardised,
)
from vicious.system.errors import ConfigError, MetricError
from vicious.system.registry import names

LEAK_SEEN = {
    "linear_decodability": 0.5,
    "kernel_decodability": 0.5,
    "own_decoder": 0.2,
    "distance_correlation": 0.2,
    "within_class_scatter": 0.01,
    "effective_rank": 0.3,
}
"""Detectors that look for a code of the image, and how much a clear one must raise their score."""
DETECTORS = [find_detector(name) for name in names(PACKAGE)]
each = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)


@pytest.mark.parametrize(("name", "least"), LEAK_SEEN.items())
@pytest.mark.parametrize("multilabel", [False, True])
def test_a_leak_scores_higher_than_none(made: Any, name: Any, least: Any, multilabel: bool) -> None:
    scores = [find_detector(name).score(made(200, leak=leak, multilabel=multilabel)) for leak in (0.0, 0.3, 1.0)]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + least


def test_a_detector_has_the_name_of_its_file_and_says_what_it_costs() -> None:
    assert tuple(detector.name for detector in DETECTORS) == names(PACKAGE)
    for detector in DETECTORS:
        assert (detector.passes(100) > 0) == (detector.access != "outputs")
        assert detector.passes(1000) >= detector.passes(10)
        assert detector.seconds > 0
    with pytest.raises(ConfigError, match=r"no entropie.py; did you mean 'entropy'"):
        find_detector("entropie")


def test_what_detectors_cost_is_known_without_pytorch() -> None:
    code = "import sys; from vicious.defense.detector import find_detector as find; "
    code += f"[find(name) for name in {names(PACKAGE)}]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@each
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_same_evidence_gives_the_same_score(made: Any, detector: Any, multilabel: bool) -> None:
    evidence = made(30, leak=1.0, multilabel=multilabel)
    before = [weight.clone() for weight in evidence.model.parameters()]
    state = torch.random.get_rng_state()
    first = detector.score(evidence)
    assert detector.score(evidence) == first
    assert all(torch.equal(one, two) for one, two in zip(before, evidence.model.parameters(), strict=True))
    assert not evidence.model.training
    assert torch.equal(torch.random.get_rng_state(), state), "no hidden global state"


@each
def test_a_detector_gets_no_more_than_it_says_that_it_needs(made: Any, detector: Any) -> None:
    seen = []

    def spy(given: Any) -> float:
        seen.append(given)
        return 0.0

    replace(detector, measure=spy).score(made(20))
    assert (seen[0].query is None) == (detector.access == "outputs")
    assert (seen[0].model is None) == (detector.access != "weights")
    names = {"images", "labels", "logits", "query", "model", "seed"}
    assert set(Evidence.__dataclass_fields__) == names, "no attack model, no training data, no other images"


@each
def test_what_a_detector_needs_and_does_not_get_is_an_error(made: Any, detector: Any) -> None:
    bare = replace(made(20), query=None, model=None)
    if detector.access == "outputs":
        assert np.isfinite(detector.score(bare))
    else:
        with pytest.raises(MetricError, match=f"{detector.name} needs the model's {detector.access}"):
            detector.score(bare)


@each
@pytest.mark.parametrize("multilabel", [False, True])
def test_constant_outputs_have_a_defined_score(made: Any, detector: Any, multilabel: bool) -> None:
    evidence = made(20, multilabel=multilabel)
    with torch.no_grad():
        evidence.model.linear.weight.zero_()
    evidence = replace(evidence, logits=evidence.query(evidence.images))
    assert len(np.unique(evidence.logits, axis=0)) == 1
    assert np.isfinite(detector.score(evidence))


@each
def test_images_of_one_class_have_a_defined_score(made: Any, detector: Any) -> None:
    evidence = made(100)
    chosen = evidence.labels == 2
    one = replace(evidence, **{name: getattr(evidence, name)[chosen] for name in ("images", "labels", "logits")})
    assert np.isfinite(detector.score(one))


@each
def test_fewer_images_than_outputs_have_a_defined_score(made: Any, detector: Any) -> None:
    assert np.isfinite(detector.score(made(10, outputs=40)))


@each
def test_equal_images_have_a_defined_score(made: Any, detector: Any) -> None:
    evidence = made(20)
    same = np.repeat(evidence.images[:1], 20, axis=0)
    assert np.isfinite(detector.score(replace(evidence, images=same, logits=evidence.query(same))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"logits": np.full((20, 5), np.nan)}, "logits hold values that are not finite"),
        ({"labels": np.full(20, 5)}, "labels do not fit 5 outputs"),
        ({"labels": np.full(20, -1)}, "labels do not fit"),
        ({"labels": np.full((20, 5), 2)}, "labels do not fit"),
        ({"labels": np.zeros((20, 4), int)}, "labels do not fit"),
        ({"labels": np.full(20, 0.5)}, "labels do not fit"),
        ({"labels": np.full(20, np.nan)}, "labels do not fit"),
        ({"labels": np.zeros(19, int)}, "must be equally many"),
        ({"labels": np.zeros((20, 5, 1), int)}, r"labels \(n,\) or \(n, K\)"),
        ({"logits": np.zeros(20)}, r"logits \(n, K\)"),
        ({"logits": np.full((20, 5), 1e160)}, "beyond float32"),
        ({"images": np.zeros((20, 1024))}, r"images must be \(n, C, H, W\)"),
        ({"images": np.full((20, 1, 32, 32), 255, np.uint8)}, r"pixels must be in \[0, 1\]"),
    ],
)
def test_evidence_that_cannot_be_is_refused(made: Any, change: Any, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        replace(made(20), **change)


@each
def test_number_types_change_no_score(made: Any, detector: Any) -> None:
    evidence = made(20, leak=1.0)
    other = replace(
        evidence,
        images=evidence.images.astype(np.float64),
        labels=evidence.labels.astype(np.int32),
        logits=torch.from_numpy(evidence.logits),
    )
    assert detector.score(other) == detector.score(evidence)


@pytest.mark.parametrize(
    ("answer", "words"),
    [(lambda x: np.full((len(x), 5), np.nan), "answered logits"), (lambda _: np.zeros(3), "answers")],
)
def test_a_model_that_answers_nonsense_is_no_honest_one(made: Any, answer: Any, words: str) -> None:
    asking = [one for one in DETECTORS if one.access == "queries"]
    assert asking
    for detector in asking:
        with pytest.raises(MetricError, match=words):
            detector.score(replace(made(20), query=answer))


def test_a_model_with_damaged_weights_is_no_honest_one(made: Any) -> None:
    evidence = made(20)
    with torch.no_grad():
        evidence.model.linear.weight[0, 0] = float("nan")
    weights = [one for one in DETECTORS if one.access == "weights"]
    assert weights
    for detector in weights:
        with pytest.raises(MetricError, match="weights hold values that are not finite"):
            detector.score(evidence)


def test_too_few_images_are_refused(made: Any) -> None:
    with pytest.raises(MetricError, match="at least 10"):
        made(9)


def test_a_score_that_is_not_finite_is_an_error(made: Any) -> None:
    with pytest.raises(MetricError, match="the detector odd gives nan"):
        Detector("odd", "outputs", lambda _: float("nan")).score(made(20))


def test_the_residual_is_the_pooled_within_class_deviation(made: Any) -> None:
    evidence = made(60, leak=2.0)
    residual, freedom = beyond_label(evidence)
    x, label = standardised(evidence.logits), evidence.logits.argmax(1)
    expected = np.empty_like(x)
    for one in np.unique(label):
        expected[label == one] = x[label == one] - x[label == one].mean(0)
    np.testing.assert_allclose(residual, expected, atol=1e-9)
    assert freedom == 60 - len(np.unique(label))


def test_the_effective_rank_of_equal_energies_is_their_number() -> None:
    assert effective_rank(np.ones(7)) == pytest.approx(7)
    assert effective_rank(np.array([5.0, 0.0, 0.0])) == pytest.approx(1)
    assert effective_rank(np.array([3.0, 1.0])) == pytest.approx(np.exp(stats.entropy([0.75, 0.25])))
    assert effective_rank(np.zeros(3)) == 0


def test_the_jacobian_of_a_linear_model_is_its_weights(made: Any) -> None:
    evidence = made(20, outputs=5, leak=1.0)
    energies = np.linalg.svd(evidence.model.linear.weight.detach().double().numpy(), compute_uv=False) ** 2
    assert find_detector("jacobian_spectrum").score(evidence) == pytest.approx(effective_rank(energies) / 5, rel=1e-4)


def test_entropy_and_calibration_agree_with_plain_computations(made: Any) -> None:
    evidence = made(50, leak=2.0)
    probabilities = softmax(evidence.logits, axis=1)
    assert find_detector("entropy").score(evidence) == pytest.approx(
        stats.entropy(probabilities, axis=1).mean() / np.log(5)
    )
    right = probabilities.argmax(1) == evidence.labels
    order = np.argsort(probabilities.max(1), kind="stable").reshape(10, 5)
    expected = np.mean([abs(right[part].mean() - probabilities[part].max(1).mean()) for part in order])
    assert find_detector("calibration").score(evidence) == pytest.approx(expected)


@pytest.mark.parametrize("n", [30, 130])
def test_the_gradient_norm_agrees_with_automatic_differentiation_by_hand(made: Any, n: int) -> None:
    evidence = made(n, leak=1.0)
    with torch.no_grad():  # unsure, so that there is a gradient
        for parameter in evidence.model.parameters():
            parameter.mul_(0.1)
    evidence = replace(evidence, logits=evidence.query(evidence.images))
    weight = evidence.model.linear.weight.detach().double().numpy()
    bias = evidence.model.linear.bias.detach().double().numpy()
    error = (softmax(evidence.logits, axis=1) - np.eye(5)[evidence.labels]) / n
    gradient = (error.T @ evidence.pixels, error.sum(0))
    expected = np.sqrt(sum((part**2).sum() for part in gradient) / ((weight**2).sum() + (bias**2).sum()))
    assert find_detector("gradient_norm").score(evidence) == pytest.approx(expected, rel=1e-4)
