"""Losses and the selection rule of the study (arXiv 2212.04223 and its public code)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from vicious.metrics.measures.ssim import similarity

HUBER_WEIGHT = 5.0
SSIM_WEIGHT = 1.0
SELECTION_MSE_WEIGHT = 5.0


def reconstruction_loss(reconstruction: Tensor, images: Tensor) -> Tensor:
    """L_R = 5 Huber (delta 1, mean over pixels) + (1 - SSIM), a scalar. Shapes: two of (N, C, H, W)."""
    huber = functional.huber_loss(reconstruction, images, delta=1.0)
    return HUBER_WEIGHT * huber + SSIM_WEIGHT * (1.0 - similarity(reconstruction, images).mean())


OF_IMAGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "reconstruction": reconstruction_loss,
    "mse": functional.mse_loss,
}
"""What the training of an attack model on a frozen target model may minimise, by name: scalars of two (N, C, H, W)."""


def classification_loss(
    logits: Tensor, labels: Tensor, positive_weight: Tensor | None, label_smoothing: float = 0.0
) -> Tensor:
    """L_C, a scalar: cross-entropy for classes (N,); for attributes (N, K) binary cross-entropy, averaged over them.

    Args:
        logits: (N, K).
        labels: classes (N,) or attributes in {0, 1} (N, K).
        positive_weight: (K,), negatives over positives of the train set; None for classes.
        label_smoothing: share of the target probability that is spread evenly over the choices.
    """
    if labels.ndim == 1:
        return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    targets = labels.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=positive_weight)


def positive_weights(labels: Tensor) -> Tensor:
    """Negatives over positives of each attribute, (N, K) -> (K,); 1 where an attribute never or always holds."""
    positives = labels.sum(0).double()
    negatives = len(labels) - positives
    usable = (positives > 0) & (negatives > 0)
    return torch.where(usable, negatives / positives.clamp_min(1), torch.ones_like(positives)).float()


def selection_score(accuracy: float | None, ssim: float | None, mse: float | None) -> float:
    """What model selection minimises: (1 - accuracy) + (1 - SSIM) + 5 MSE, without the terms that do not apply."""
    score = 0.0 if accuracy is None else 1.0 - accuracy
    if ssim is not None and mse is not None:
        score += (1.0 - ssim) + SELECTION_MSE_WEIGHT * mse
    return score
