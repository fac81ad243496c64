"""What attack models that see the attacker's images beforehand do with what they read."""

import torch
from torch import Tensor, nn

from vicious.mitigations import LEAST
from vicious.models.fitting import Pairs


class Standardised(nn.Module):
    """What is read, with zero mean and unit variance over the images of the fit; a constant number stays 0."""

    shift: Tensor
    scale: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(length))
        self.register_buffer("scale", torch.ones(length))

    def take(self, read: Tensor) -> None:
        """Remember mean and deviation of (N, L)."""
        deviation = read.double().std(0, unbiased=False)
        self.shift.copy_(read.double().mean(0))
        self.scale.copy_(torch.where(deviation > 1e-12, deviation, 1.0))

    def forward(self, read: Tensor) -> Tensor:
        return (read - self.shift) / self.scale


class Conditioned(Standardised):
    """The same, of logarithms in place of probabilities: log p for classes, log p - log(1 - p) for attributes.

    They hold what the logits held, for classes up to a constant. Where probabilities come with their logarithms, or
    what comes are logits, it is read as it is.
    """

    logarithms: Tensor
    odds: Tensor

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.register_buffer("logarithms", torch.zeros(()))
        self.register_buffer("odds", torch.zeros(()))

    @torch.no_grad()
    def condition(self, train: Pairs) -> None:
        """Remember what is read, and its mean and deviation over the training images."""
        self.logarithms.fill_(train.probabilities is not None)
        self.odds.fill_(train.probabilities == "attributes")
        self.take(self._legible(train.read.to(self.shift.device)))

    def _legible(self, read: Tensor) -> Tensor:
        logarithms = read.clamp_min(LEAST).log() - self.odds * (1 - read).clamp_min(2.0**-24).log()
        return torch.where(self.logarithms > 0, logarithms, read)

    def forward(self, read: Tensor) -> Tensor:
        return super().forward(self._legible(read))
