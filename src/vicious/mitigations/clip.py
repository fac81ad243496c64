"""clip a: probabilities of the logits minus their mean, cut to [-a, a] (of attributes: of the logits, cut so)."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, Number, as_probabilities, logarithm

if TYPE_CHECKING:
    from torch import Generator, Tensor


def transmit(logits: "Tensor", amount: float, multilabel: bool, _generator: "Generator | None") -> "Tensor":
    """Probabilities that are no surer than the cut allows, (N, K) -> (N, K); the surest classes may tie."""
    centred = logits if multilabel else logits - logits.mean(1, keepdim=True)
    return as_probabilities(centred.clamp(-amount, amount), multilabel)


MITIGATION = Mitigation(transmit, logarithm, Number())
