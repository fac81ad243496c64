"""The loss that a model claims to be trained for, on the user's own images, in a copy that may be changed."""

import copy
from typing import TYPE_CHECKING

from vicious.defense.detector import Evidence

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 50  # images whose gradient is taken together


class StatedLoss:
    """The mean loss of a copy of the model in evaluation mode, whose weights have gradients.

    Attributes:
        model: the copy.
        images: (m, C, H, W), the first of the user's, on the model's device.
    """

    def __init__(self, evidence: Evidence, most: int | None = None) -> None:
        import torch

        from vicious.training.losses import positive_weights

        assert evidence.model is not None
        self.model = copy.deepcopy(evidence.model).requires_grad_(True)
        weight = next(self.model.parameters())
        self.images = torch.from_numpy(evidence.images[:most]).to(weight)
        self._labels = torch.from_numpy(evidence.labels[:most]).to(weight.device)
        self._positive = positive_weights(self._labels) if evidence.multilabel else None

    def __call__(self, some: slice = slice(None)) -> "Tensor":
        """The loss of some of the images, a scalar."""
        from vicious.training.losses import classification_loss

        return classification_loss(self.model(self.images[some]), self._labels[some], self._positive)

    def gradients(self) -> "list[Tensor]":
        """Those of the loss, one for each weight of the model; of :data:`AT_ONCE` images at a time to save memory."""
        import torch

        weights = list(self.model.parameters())
        total = [torch.zeros_like(weight) for weight in weights]
        for start in range(0, len(self.images), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            share = len(self.images[some]) / len(self.images)
            for sum_, part in zip(total, torch.autograd.grad(self(some), weights), strict=True):
                sum_.add_(part, alpha=share)
        return total
