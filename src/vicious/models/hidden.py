"""How a vicious server hides the code in the outputs of a model that is already trained: an invertible map of the logits.

The map keeps the predicted class, or the predicted attributes, so accuracy does not change. The server knows it, undoes it, and
reconstructs what it would have reconstructed anyway: hiding costs neither training nor image quality. What is mapped are
the *gaps*: how far each other logit is below the largest, or the size of each attribute's logit.

- ``shuffled``: the gaps change places, in an order that depends on the predicted label. No linear map that is the same for
  all labels finds the code; one for each predicted label would.
- ``folded``: one half of the gaps' logarithms is shifted by a sine of the other half, then the other way round (the additive
  coupling of Dinh et al., "NICE: non-linear independent components estimation", 2015). The code is no longer linear in the
  outputs, whatever the label.
- ``shifted``: the gaps are stretched and moved by amounts that depend on the predicted label. What the label does to the outputs
  drowns the code, for whoever does not remove it first.
"""

import numpy as np
import torch
from torch import Tensor, nn

from vicious.models.kinds import Code
from vicious.system.randomness import derive_seed

ORDERS = 64
"""Orders of an attribute code; the predicted attributes choose one."""
FREQUENCY = 3.0
AMPLITUDE = 1.0
"""Of the sine, in logarithms of gaps."""
DECADES = 1.0
"""By how many powers of ten shifted gaps are stretched or shrunk at most."""
FARTHEST = 100.0
"""By how much shifted gaps are moved at most."""
LEAST = 1e-6
"""Gaps are no smaller where their logarithm is taken."""


class Hiding(nn.Module):
    """A target model whose outputs are hidden.

    Args:
        target: images -> logits (N, K).
        code: how to hide them.
        multilabel: outputs are attributes.
    """

    def __init__(self, target: nn.Module, code: Code, multilabel: bool) -> None:
        super().__init__()
        self.target, self._code, self._multilabel = target, code, multilabel

    def forward(self, images: Tensor) -> Tensor:
        """Hidden logits (N, K) of images (N, C, H, W)."""
        return hide(self.target(images), self._code, self._multilabel)


def hide(logits: Tensor, code: Code, multilabel: bool) -> Tensor:
    """Hidden logits with the same predicted label; differentiable. Shapes: (N, K) -> (N, K)."""
    return _mapped(logits, code, multilabel, inverse=False)


def reveal(hidden: Tensor, code: Code, multilabel: bool) -> Tensor:
    """What :func:`hide` was given, up to rounding. Shapes: (N, K) -> (N, K)."""
    return _mapped(hidden, code, multilabel, inverse=True)


def _mapped(logits: Tensor, code: Code, multilabel: bool, inverse: bool) -> Tensor:
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


def _map_gaps(gaps: Tensor, chosen: Tensor, orders: int, code: Code, inverse: bool) -> Tensor:
    """Gaps (N, M), at least 0; ``chosen`` (N,) is what the predicted label makes of the ``orders``."""
    m = gaps.shape[1]
    generator = np.random.default_rng(derive_seed(0, "hidden code", code, orders, m))
    if code == "shuffled":
        order = np.stack([generator.permutation(m) for _ in range(orders)])
        order = order.argsort(1) if inverse else order
        return gaps.gather(1, torch.from_numpy(order).to(chosen)[chosen])
    if code == "shifted":
        factor, offset = 10 ** generator.uniform(-DECADES, DECADES, orders), generator.uniform(0, FARTHEST, orders)
        times, more = (torch.from_numpy(each).to(gaps)[chosen][:, None] for each in (factor, offset))
        return ((gaps - more) / times).clamp_min(0) if inverse else gaps * times + more
    half = m // 2
    mixing = [generator.normal(size=shape) / np.sqrt(shape[0]) for shape in ((half, m - half), (m - half, half))]
    forth, back = (torch.from_numpy(FREQUENCY * matrix).to(gaps) for matrix in mixing)
    one, two = gaps.clamp_min(LEAST).log().split([half, m - half], dim=1)
    if inverse:
        one = one - AMPLITUDE * torch.sin(two @ back)
        two = two - AMPLITUDE * torch.sin(one @ forth)
    else:
        two = two + AMPLITUDE * torch.sin(one @ forth)
        one = one + AMPLITUDE * torch.sin(two @ back)
    return torch.cat([one, two], dim=1).exp()
