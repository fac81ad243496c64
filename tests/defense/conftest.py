"""Evidence of made-up models: images of a class and hidden factors; logits of the class and, by choice, the factors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from vicious.defense.detector import Evidence

SIDE = 32


class Made(nn.Module):
    """Logits of images (n, 1, 32, 32): by how well each class's mean fits, plus ``leak`` times the hidden factors."""

    def __init__(self, means: Any, loadings: Any, leak: Any) -> None:
        super().__init__()
        centred = means - means.mean(0)
        read = np.linalg.pinv(np.vstack([centred, loadings]))  # images -> class and factors
        k = len(means)
        weight = torch.from_numpy(20 * read[:, :k] + leak * read[:, k:]).float().T
        self.linear = nn.Linear(weight.shape[1], k)
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(-weight @ torch.from_numpy(means.mean(0)).float())

    def forward(self, images: Any) -> Any:
        return self.linear(images.flatten(1))


def _smooth(noise: Any) -> Any:
    """Blobs of unit variance, as rows."""
    blobs = np.stack([gaussian_filter(one, 4, mode="wrap") for one in noise]).reshape(len(noise), -1)
    return blobs / blobs.std(1, keepdims=True)


@pytest.fixture
def made() -> Callable[..., Evidence]:
    def make(n: int = 100, outputs: int = 5, leak: float = 0.0, seed: int = 0, multilabel: bool = False) -> Evidence:
        generator = np.random.default_rng(seed)
        shared = np.random.default_rng(99)
        means, loadings = (_smooth(shared.normal(size=(outputs, SIDE, SIDE))) for _ in range(2))
        means, loadings = 0.5 + 0.1 * means, 0.05 * loadings
        labels = generator.integers(outputs, size=n)
        factors = generator.normal(size=(n, outputs))
        images = np.clip(means[labels] + factors @ loadings, 0, 1).astype(np.float32).reshape(n, 1, SIDE, SIDE)
        model = Made(means, loadings, leak).eval()

        def query(given: Any) -> Any:
            with torch.no_grad():
                return model(torch.from_numpy(np.asarray(given, dtype=np.float32))).double().numpy()

        logits = query(images)
        told = (logits >= 0).astype(np.int64) if multilabel else labels
        return Evidence(images, told, logits, query, model, seed=0)

    return make
