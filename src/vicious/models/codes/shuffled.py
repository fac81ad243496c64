"""The gaps change places, in an order that depends on the predicted label.

No linear map that is the same for all labels finds the code; one for each predicted label would.
"""

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor


def mapped(gaps: Tensor, chosen: Tensor, orders: int, generator: Generator, inverse: bool) -> Tensor:
    """Gaps in another order: see :mod:`vicious.models.hidden`."""
    order = np.stack([generator.permutation(gaps.shape[1]) for _ in range(orders)])
    order = order.argsort(1) if inverse else order
    return gaps.gather(1, torch.from_numpy(order).to(chosen)[chosen])
