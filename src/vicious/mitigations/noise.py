"""noise s: probabilities with Gaussian noise of standard deviation s, clipped to [0, 1]."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, Number, as_probabilities

if TYPE_CHECKING:
    from torch import Generator, Tensor


def transmit(logits: "Tensor", amount: float, multilabel: bool, generator: "Generator | None") -> "Tensor":
    import torch

    p = as_probabilities(logits, multilabel)
    noise = torch.randn(p.shape, generator=generator).to(p)
    return (p + amount * noise).clamp(0, 1)


def logarithm(sent: "Tensor", amount: float) -> "Tensor":
    """The logarithm after the noise's own size is added, (N, K) -> (N, K): a clipped probability may be 0."""
    return (sent + amount).log()


MITIGATION = Mitigation(transmit, logarithm, Number(), random=True)
