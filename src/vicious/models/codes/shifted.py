"""The gaps are stretched and moved by amounts that depend on the predicted label.

What the label does to the outputs drowns the code, for whoever does not remove it first.
"""

import torch
from numpy.random import Generator
from torch import Tensor

DECADES = 1.0
"""By how many powers of ten gaps are stretched or shrunk at most."""
FARTHEST = 100.0
"""By how much gaps are moved at most."""


def mapped(gaps: Tensor, chosen: Tensor, orders: int, generator: Generator, inverse: bool) -> Tensor:
    """Gaps times a factor plus an offset: see :mod:`vicious.models.hidden`."""
    factor, offset = 10 ** generator.uniform(-DECADES, DECADES, orders), generator.uniform(0, FARTHEST, orders)
    times, more = (torch.from_numpy(each).to(gaps)[chosen][:, None] for each in (factor, offset))
    return ((gaps - more) / times).clamp_min(0) if inverse else gaps * times + more
