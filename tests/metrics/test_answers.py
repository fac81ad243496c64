"""Accuracy and calibration of what was sent, against scikit-learn and by hand."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor

from vicious.metrics.answers import BINS, accuracy, answer_accuracy, answer_loss, calibration_error
from vicious.system.errors import MetricError

GENERATOR = np.random.default_rng(0)


def test_accuracy_is_scikit_learns_where_nothing_ties() -> None:
    probabilities, labels = GENERATOR.dirichlet(np.ones(5), size=200), GENERATOR.integers(5, size=200)
    found = answer_accuracy(torch.from_numpy(probabilities), torch.from_numpy(labels))
    assert found.mean().item() == pytest.approx(accuracy_score(labels, probabilities.argmax(1)))
    bits = GENERATOR.integers(2, size=(200, 5))
    found = answer_accuracy(torch.from_numpy(probabilities), torch.from_numpy(bits))
    assert found.mean().item() == pytest.approx(accuracy_score(bits.ravel(), probabilities.ravel() >= 0.5))


def test_a_tie_is_broken_by_chance() -> None:
    sent = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    assert answer_accuracy(sent, torch.tensor([2, 1, 3])).tolist() == [0.25, 0.5, 0.0]


def test_the_loss_is_scikit_learns_of_each_image() -> None:
    logits, labels = GENERATOR.normal(size=(50, 5)), GENERATOR.integers(5, size=50)
    found = answer_loss(torch.from_numpy(logits).float(), torch.from_numpy(labels))
    assert found.dtype == torch.float64
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found.mean().item() == pytest.approx(log_loss(labels, p, labels=range(5)), rel=1e-5)
    assert found.tolist() == pytest.approx((-np.log(p[np.arange(50), labels])).tolist(), rel=1e-4)
    bits = GENERATOR.integers(2, size=(50, 5))
    found = answer_loss(torch.from_numpy(logits), torch.from_numpy(bits))
    one = 1 / (1 + np.exp(-logits))
    assert found.tolist() == pytest.approx((-np.log(np.where(bits, one, 1 - one))).mean(1).tolist())


def test_a_sure_and_right_answer_has_a_loss_that_is_not_rounded_away() -> None:
    found = answer_loss(torch.tensor([[40.0, 0.0], [50.0, 0.0]]), torch.tensor([0, 0]))
    assert 0 <= found[1] <= found[0] < 1e-15
    close = answer_loss(torch.tensor([[20.0, 0.0], [21.0, 0.0]]), torch.tensor([0, 0]))
    assert close.tolist() == pytest.approx([np.exp(-20), np.exp(-21)], rel=1e-6), "single precision would give 0"


def test_calibration_error_of_classes_by_hand() -> None:
    sent = GENERATOR.dirichlet(np.ones(4) / 2, size=300)
    labels = GENERATOR.integers(4, size=300)
    sure, right = sent.max(1), sent.argmax(1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (sure > low) & (sure <= high)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert calibration_error(torch.from_numpy(sent), torch.from_numpy(labels)) == pytest.approx(expected)


def test_calibration_error_of_certain_answers_is_the_error_rate() -> None:
    labels = torch.tensor([0, 1, 2, 2])
    sent = torch.nn.functional.one_hot(torch.tensor([0, 1, 1, 2]), 3).float()
    assert calibration_error(sent, labels) == pytest.approx(0.25)
    bits = torch.tensor([[1, 0], [0, 0]])
    assert calibration_error(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), bits) == pytest.approx(0.5)


def test_calibration_error_of_attributes_uses_the_likelier_value() -> None:
    bits = torch.tensor([[1], [0], [0], [0]])
    assert calibration_error(torch.full((4, 1), 0.25), bits) == pytest.approx(0.0)


def test_accuracy_of_classes_and_attributes() -> None:
    logits = torch.tensor([[2.0, -1.0], [-1.0, 0.0]])
    assert accuracy(logits, torch.tensor([0, 0])).tolist() == [1.0, 0.0]
    assert accuracy(logits, torch.tensor([[1, 1], [0, 1]])).tolist() == [0.5, 1.0]


RIGHT = torch.tensor([0, 1, 2, 1])
BAD_ANSWERS: dict[str, tuple[Tensor, Tensor, str]] = {
    "whole numbers": (torch.ones(4, 3, dtype=torch.int64), RIGHT, "floating point"),
    "no classes": (torch.rand(4), RIGHT, "shape"),
    "not a number": (torch.full((4, 3), torch.nan), RIGHT, "found minimum nan"),
    "fewer labels": (torch.rand(4, 3), RIGHT[:3], r"labels must have the shape \(n = 4\), got \(3,\)"),
    "a class too many": (torch.rand(4, 3), RIGHT + 1, r"labels must lie in \[0, 2\]"),
    "other attributes": (torch.rand(4, 3), torch.ones(4, 2, dtype=torch.int64), r"\(n = 4, K = 3\)"),
    "attributes from 0 to 2": (torch.rand(4, 3), torch.full((4, 3), 2), r"labels must lie in \[0, 1\]"),
    "labels of floats": (torch.rand(4, 3), RIGHT.float(), "whole numbers"),
    "no images": (torch.rand(0, 3), RIGHT[:0], "no .* given"),
}


@pytest.mark.parametrize("measure", [accuracy, answer_accuracy, calibration_error])
@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_what_are_no_answers_is_refused(measure: Callable[[Tensor, Tensor], Any], kind: str) -> None:
    given, labels, message = BAD_ANSWERS[kind]
    with pytest.raises(MetricError, match=message):
        measure(given, labels)


@pytest.mark.parametrize("measure", [answer_accuracy, calibration_error])
def test_logits_are_no_probabilities(measure: Callable[[Tensor, Tensor], Any]) -> None:
    with pytest.raises(MetricError, match=r"probabilities must lie in \[0, 1\], found .* maximum 4"):
        measure(torch.full((4, 3), 4.0), RIGHT)
