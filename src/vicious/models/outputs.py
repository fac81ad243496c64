"""What the user sends back, and what the attack model reads of it: the kinds of :mod:`vicious.models.kinds` as tensors."""

import torch
from torch import Generator, Tensor

from vicious.models.kinds import parse_outputs

LEAST = float(torch.finfo(torch.float32).tiny)
"""Probabilities are no smaller where their logarithm is taken: what a float32 holds."""


def transmit(logits: Tensor, outputs: str, multilabel: bool = False, generator: Generator | None = None) -> Tensor:
    """What the user sends back, (N, K) -> (N, K): logits, or something in [0, 1] made of probabilities.

    Its gradient is what a server has that trains for it: through rounding as if there were none (the straight-through estimator of
    Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013), and none through labels.

    Args:
        logits: of classes, or of attributes where ``multilabel``.
        outputs: a name out of :mod:`vicious.models.kinds`.
        generator: on the CPU; draws the noise, if that is what is asked for.
    """
    kind = parse_outputs(outputs)
    if kind.kind == "logits":
        return logits
    scaled = logits / kind.amount if kind.kind == "temperature" else logits
    probabilities = torch.sigmoid(scaled) if multilabel else torch.softmax(scaled, dim=1)
    if kind.kind == "top":
        return _top(probabilities, int(kind.amount), multilabel)
    if kind.kind == "round":
        levels = 2 ** int(kind.amount) - 1
        return (probabilities.detach() * levels).round() / levels + (probabilities - probabilities.detach())
    if kind.kind == "noise":
        noise = torch.randn(probabilities.shape, generator=generator).to(probabilities)
        return (probabilities + kind.amount * noise).clamp(0, 1)
    if kind.kind == "label":
        return _label(probabilities, multilabel)
    return probabilities


def readable(sent: Tensor, outputs: str) -> Tensor:
    """What the attack model reads of what was sent, (N, K) -> (N, :meth:`vicious.models.kinds.Outputs.width`).

    Logits and softmax as they are, as in the study. Of all else p and log p: an attacker who is told probabilities can take
    logarithms, which hold what the logits held up to a constant; a network that only sees p hardly finds the small ones. Where the
    user cuts probabilities to 0 their logarithm is read as 0, which p = 0 tells apart from 1; where noise of some size was
    added, that size is added before the logarithm.
    """
    kind = parse_outputs(outputs)
    if kind.plain:
        return sent
    if kind.kind == "noise":
        logarithm = (sent + kind.amount).log()
    elif kind.kind in ("top", "round", "label"):
        logarithm = torch.where(sent > 0, sent.clamp_min(LEAST).log(), 0.0)
    else:
        logarithm = sent.clamp_min(LEAST).log()
    return torch.cat([sent, logarithm], dim=1)


def probabilities_of(sent: Tensor, outputs: str, multilabel: bool = False) -> Tensor:
    """What was sent as probabilities in [0, 1], (N, K) -> (N, K); they need not sum to 1 where the user changed them."""
    return transmit(sent, "softmax", multilabel) if parse_outputs(outputs).kind == "logits" else sent


def _top(probabilities: Tensor, k: int, multilabel: bool) -> Tensor:
    """The ``k`` largest probabilities, others 0; of attributes the ``k`` surest, others as labels."""
    sureness = (probabilities - 0.5).abs() if multilabel else probabilities
    chosen = sureness.topk(min(k, probabilities.shape[1]), dim=1).indices
    kept = torch.zeros_like(probabilities, dtype=torch.bool).scatter_(1, chosen, True)
    rest = _label(probabilities, True) if multilabel else torch.zeros_like(probabilities)
    return torch.where(kept, probabilities, rest)


def _label(probabilities: Tensor, multilabel: bool) -> Tensor:
    if multilabel:
        return (probabilities >= 0.5).to(probabilities.dtype)
    return torch.zeros_like(probabilities).scatter_(1, probabilities.argmax(1, keepdim=True), 1.0)
