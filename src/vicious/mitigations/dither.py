"""dither b: probabilities with uniform noise, one step of b bits wide, rounded to multiples of 1 / (2^b - 1)."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, Number, as_probabilities
from vicious.mitigations.round import MOST_BITS

if TYPE_CHECKING:
    from torch import Generator, Tensor


def transmit(logits: "Tensor", amount: float, multilabel: bool, generator: "Generator | None") -> "Tensor":
    """Dithered probabilities, (N, K) -> (N, K).

    With such noise the rounded value is right on average: Schuchman, "Dither signals and their effect on quantization
    noise" (IEEE Transactions on Communication Technology 12, 1964). The gradient passes as in :mod:`.round`.
    """
    import torch

    p, levels = as_probabilities(logits, multilabel), 2 ** int(amount) - 1
    noise = torch.rand(p.shape, generator=generator).to(p) - 0.5
    rounded: Tensor = (p.detach() * levels + noise).round().clamp(0, levels) / levels
    return rounded + (p - p.detach())


def logarithm(sent: "Tensor", amount: float) -> "Tensor":
    """The logarithm after half a step is added, (N, K) -> (N, K): a probability may be rounded to 0."""
    found: Tensor = (sent + 0.5 / (2 ** int(amount) - 1)).log()
    return found


MITIGATION = Mitigation(transmit, logarithm, Number(whole=True, most=MOST_BITS, unit=" bits"), random=True)
