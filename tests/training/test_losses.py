"""Losses against their formulas in numpy float64."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from vicious.training.losses import (
    classification_loss,
    positive_weights,
    reconstruction_loss,
    selection_score,
)


def test_reconstruction_loss_is_huber_and_ssim() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.random((4, 3, 32, 32)), generator.random((4, 3, 32, 32))
    huber = (0.5 * (x - y) ** 2).mean()  # errors below delta 1
    similarity = np.mean(
        [
            structural_similarity(
                a, b, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
            for a, b in zip(x, y, strict=True)
        ]
    )
    expected = 5 * huber + (1 - similarity)
    assert reconstruction_loss(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(expected, abs=1e-10)


def test_classification_losses() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 3))
    classes = np.array([0, 1, 2, 0, 1, 2])
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(softmax[np.arange(6), classes]).mean()
    assert classification_loss(torch.tensor(logits), torch.tensor(classes), None).item() == pytest.approx(expected)
    bits = generator.integers(2, size=(6, 3))
    weights = np.array([0.5, 2.0, 1.0])
    p = 1 / (1 + np.exp(-logits))
    expected = -(weights * bits * np.log(p) + (1 - bits) * np.log(1 - p)).mean()
    found = classification_loss(torch.tensor(logits), torch.tensor(bits), torch.tensor(weights))
    assert found.item() == pytest.approx(expected)


def test_positive_weights_are_negatives_over_positives_and_always_finite() -> None:
    labels = torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    assert positive_weights(labels).tolist() == [3.0, 1.0, 1.0]


def test_selection_score() -> None:
    assert selection_score(0.9, 0.8, 0.01) == pytest.approx(0.1 + 0.2 + 0.05)
    assert selection_score(0.9, None, None) == pytest.approx(0.1)
    assert selection_score(None, 0.8, 0.01) == pytest.approx(0.25)
