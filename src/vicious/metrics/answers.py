"""Whether what the user sent is right, and as sure as it should be: measures of answers in any kind of outputs."""

import torch
from torch import Tensor
from torch.nn import functional

from vicious.metrics.checks import check_axes, check_labels, check_values

BINS = 15


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Correct (0 or 1) for each image; for attributes the share of right ones. (N, K), (N,) or (N, K) -> (N,).

    Raises:
        MetricError: shapes that do not fit, logits that are not finite, or labels that are none of these outputs.
    """
    _check(logits, labels, "logits")
    return correct(logits, labels)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """:func:`accuracy` without a check, as training needs it."""
    if labels.ndim == 1:
        return (logits.argmax(1) == labels).float()
    return ((logits >= 0) == (labels > 0)).float().mean(1)


def answer_accuracy(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Chance that the answer is right, (N, K), (N,) or (N, K) -> (N,).

    Classes: 1 over the number of classes that share the largest probability where the right one is among them, else 0:
    what was sent may hold ties, which the server can only break at random. Attributes: the share of right ones.

    Raises:
        MetricError: shapes that do not fit, values outside [0, 1], or labels that are none of these outputs.
    """
    _check(probabilities, labels, "probabilities", 0.0, 1.0)
    if labels.ndim > 1:
        return ((probabilities >= 0.5) == (labels > 0)).float().mean(1)
    best = probabilities == probabilities.amax(1, keepdim=True)
    return best.gather(1, labels[:, None])[:, 0].float() / best.sum(1)


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Loss of each image, in nats, float64: cross-entropy of the class; for attributes the mean binary cross-entropy,
    without weights. (N, K), (N,) or (N, K) -> (N,).

    Raises:
        MetricError: as :func:`accuracy`.
    """
    _check(logits, labels, "logits")
    if labels.ndim == 1:
        return functional.cross_entropy(logits.double(), labels, reduction="none")
    losses = functional.binary_cross_entropy_with_logits(logits.double(), labels.double(), reduction="none")
    return losses.mean(1)


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Expected calibration error, in [0, 1]: mean over decisions of |accuracy - confidence| of their bin.

    Of Guo et al., "On calibration of modern neural networks" (2017), with 15 bins of equal width. A class is one
    decision, whose confidence is the largest probability; each attribute is one, whose confidence is that of its more
    likely value. The detector of that name has few images, and so bins of equally many decisions.

    Shapes: probabilities (N, K) in [0, 1], labels (N,) or (N, K).

    Raises:
        MetricError: as :func:`answer_accuracy`.
    """
    _check(probabilities, labels, "probabilities", 0.0, 1.0)
    if labels.ndim > 1:
        sure = torch.maximum(probabilities, 1 - probabilities).flatten().double()
        right = ((probabilities >= 0.5) == (labels > 0)).flatten().double()
    else:
        sure = probabilities.amax(1).double()
        right = answer_accuracy(probabilities, labels).double()
    index = (sure * BINS).ceil().clamp(1, BINS).long() - 1
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add_(0, index, right - sure)
    return float(gaps.abs().sum() / len(sure))


def _check(values: Tensor, labels: Tensor, what: str, *ends: float) -> None:
    check_axes(values, what, N=None, K=None)
    check_values(values, what, *ends)
    check_labels(labels, *values.shape)
