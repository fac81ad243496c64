"""What measures of images share: checked tensors, and decibels.

Averages over images are the caller's, so that batches never matter. The measures are in
:mod:`vicious.metrics.measures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vicious.metrics.checks import check_images, check_values

if TYPE_CHECKING:
    from torch import Tensor

MSE_FLOOR = 1e-10
"""Below this MSE a reconstruction counts as perfect: its PSNR is reported as 100 dB instead of infinity."""


def image_tensors(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two batches of images (N, C, H, W) in [0, 1], tensors or arrays, checked and as tensors."""
    import torch

    check_images(x, y)
    first, second = torch.as_tensor(x), torch.as_tensor(y)
    return first, second


def decibels(mse: Any, floor: float = MSE_FLOOR) -> Any:
    """PSNR in dB, for a data range of 1, of mean squared errors: a tensor, an array or a number, in its own precision.

    Args:
        mse: any shape, not negative.
        floor: smaller errors count as this one; with 0, no error is infinitely many dB.

    Raises:
        MetricError: there are none, or some are negative or not finite.
    """
    errors = mse if hasattr(mse, "clip") else np.asarray(mse, dtype=np.float64)
    check_values(errors, "mean squared errors", 0.0)
    floored = errors.clip(floor)
    return -10.0 * (np.log10(floored) if isinstance(floored, np.ndarray | np.generic) else floored.log10())
