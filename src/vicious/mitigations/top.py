"""top k: the k largest probabilities, all others 0 (the k surest attributes, all others 0 or 1)."""

from typing import TYPE_CHECKING

from vicious.mitigations import Mitigation, Number, as_probabilities, logarithm_of_kept

if TYPE_CHECKING:
    from torch import Generator, Tensor


def transmit(logits: "Tensor", amount: float, multilabel: bool, _generator: "Generator | None") -> "Tensor":
    """The ``amount`` largest probabilities, others 0; of attributes the surest, others as labels. (N, K) -> (N, K)."""
    import torch

    p = as_probabilities(logits, multilabel)
    sureness = (p - 0.5).abs() if multilabel else p
    chosen = sureness.topk(min(int(amount), p.shape[1]), dim=1).indices
    kept = torch.zeros_like(p, dtype=torch.bool).scatter_(1, chosen, True)
    rest = (p >= 0.5).to(p.dtype) if multilabel else torch.zeros_like(p)
    return torch.where(kept, p, rest)


MITIGATION = Mitigation(transmit, logarithm_of_kept, Number(whole=True))
