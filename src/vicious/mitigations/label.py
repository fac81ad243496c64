"""label: the predicted class or attributes alone."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, as_probabilities, logarithm_of_kept

if TYPE_CHECKING:
    from torch import Generator, Tensor


def transmit(logits: "Tensor", _amount: float, multilabel: bool, _generator: "Generator | None") -> "Tensor":
    import torch

    p = as_probabilities(logits, multilabel)
    if multilabel:
        return (p >= 0.5).to(p.dtype)
    return torch.zeros_like(p).scatter_(1, p.argmax(1, keepdim=True), 1.0)


MITIGATION = Mitigation(transmit, logarithm_of_kept, trainable=False)
