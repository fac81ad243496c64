"""One half of the gaps' logarithms is shifted by a sine of the other half, then the other way round.

This is the additive coupling of Dinh et al., "NICE: non-linear independent components estimation" (2015). The code is
no longer linear in the outputs, whatever the label.
"""

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

FREQUENCY = 3.0
AMPLITUDE = 1.0
"""Of the sine, in logarithms of gaps."""
LEAST = 1e-6
"""Gaps are no smaller where their logarithm is taken."""


def mapped(gaps: Tensor, _chosen: Tensor, _orders: int, generator: Generator, inverse: bool) -> Tensor:
    """Folded gaps, alike for all labels: see :mod:`vicious.models.hidden`."""
    m = gaps.shape[1]
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
