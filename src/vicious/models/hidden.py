"""How a vicious server hides the code in the outputs of a trained model: by an invertible map of the logits.

The map keeps the predicted class, or the predicted attributes, so accuracy does not change. The server knows it, undoes
it, and reconstructs what it would have reconstructed anyway: hiding costs neither training nor image quality. What is
mapped are the *gaps*: how far each other logit is below the largest, or the size of each attribute's logit.

Each map is a file of :data:`PACKAGE`, whose function ``mapped`` takes gaps (N, M), at least 0; for each row which of
the ``orders`` maps is its own (N,); their number; a generator of the map's own constants; and whether to undo the map.
It gives gaps (N, M), at least 0.
"""

import numpy as np
import torch
from torch import Tensor, nn

from vicious.system.randomness import derive_seed
from vicious.system.registry import find

PACKAGE = "vicious.models.codes"
ORDERS = 64
"""Maps of an attribute code; the predicted attributes choose one. Of classes, each has its own."""


class Hiding(nn.Module):
    """A ``target``, images -> logits (N, K), whose outputs are hidden by ``code``, a name out of :data:`PACKAGE`."""

    def __init__(self, target: nn.Module, code: str, multilabel: bool) -> None:
        super().__init__()
        self.target, self._code, self._multilabel = target, code, multilabel

    def forward(self, images: Tensor) -> Tensor:
        """Hidden logits (N, K) of images (N, C, H, W)."""
        return hide(self.target(images), self._code, self._multilabel)


def hide(logits: Tensor, code: str, multilabel: bool) -> Tensor:
    """Hidden logits with the same predicted label; differentiable. Shapes: (N, K) -> (N, K)."""
    return _mapped(logits, code, multilabel, inverse=False)


def reveal(hidden: Tensor, code: str, multilabel: bool) -> Tensor:
    """What :func:`hide` was given, up to rounding. Shapes: (N, K) -> (N, K)."""
    return _mapped(hidden, code, multilabel, inverse=True)


def _mapped(logits: Tensor, code: str, multilabel: bool, inverse: bool) -> Tensor:
    if multilabel:
        sign = torch.where(logits >= 0, 1.0, -1.0).to(logits)
        bits = (logits >= 0).long()
        keys = np.random.default_rng(derive_seed(0, "hidden code", "keys")).integers(1 << 40, size=logits.shape[1])
        chosen = (bits * torch.from_numpy(keys).to(bits)).sum(1).remainder(ORDERS)
        return sign * _map_gaps(logits.abs(), chosen, ORDERS, code, inverse)
    top = logits.argmax(1, keepdim=True)
    others = torch.ones_like(logits, dtype=torch.bool).scatter_(1, top, False)
    largest = logits.gather(1, top)
    gaps = (largest - logits)[others].view(len(logits), -1)
    mapped = _map_gaps(gaps, top[:, 0], logits.shape[1], code, inverse)
    return logits.masked_scatter(others, largest - mapped)


def _map_gaps(gaps: Tensor, chosen: Tensor, orders: int, code: str, inverse: bool) -> Tensor:
    generator = np.random.default_rng(derive_seed(0, "hidden code", code, orders, gaps.shape[1]))
    mapped: Tensor = find(PACKAGE, code, "mapped").mapped(gaps, chosen, orders, generator, inverse)
    return mapped
