"""b bits: probabilities rounded to multiples of 1 / (2^b - 1)."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, Number, as_probabilities, logarithm_of_kept

if TYPE_CHECKING:
    from torch import Generator, Tensor

MOST_BITS = 16
"""More no longer change what is read."""


def transmit(logits: "Tensor", amount: float, multilabel: bool, _generator: "Generator | None") -> "Tensor":
    """Rounded probabilities, (N, K) -> (N, K).

    The gradient passes as if there were no rounding (the straight-through estimator of Bengio et al., "Estimating or
    propagating gradients through stochastic neurons", 2013).
    """
    p, levels = as_probabilities(logits, multilabel), 2 ** int(amount) - 1
    rounded: Tensor = (p.detach() * levels).round() / levels
    return rounded + (p - p.detach())


MITIGATION = Mitigation(transmit, logarithm_of_kept, Number(whole=True, most=MOST_BITS, unit=" bits"))
