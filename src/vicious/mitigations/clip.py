"""clip a: logits minus their mean, cut to [-a, a]; those of attributes are cut as they are."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, Number

if TYPE_CHECKING:
    from torch import Generator, Tensor


def transmit(logits: "Tensor", amount: float, multilabel: bool, _generator: "Generator | None") -> "Tensor":
    """Cut logits, (N, K) -> (N, K). Their mean tells nothing of probabilities, so a server could hide a code there."""
    centred = logits if multilabel else logits - logits.mean(1, keepdim=True)
    return centred.clamp(-amount, amount)


def logarithm(sent: "Tensor", _amount: float) -> "Tensor":
    """The logarithms of the probabilities that cut logits stand for, (N, K) -> (N, K)."""
    return sent.log_softmax(1)


MITIGATION = Mitigation(transmit, logarithm, Number(), probabilities=False)
