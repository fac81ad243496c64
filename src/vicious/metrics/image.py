"""What measures of image quality share: the images that they are defined for, and decibels.

Averages over images are the caller's, so that batches never matter. The measures are in
:mod:`vicious.metrics.measures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vicious.system.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor

DATA_RANGE = 1.0
MSE_FLOOR = 1e-10
"""Below this MSE a reconstruction counts as perfect: its PSNR is reported as 100 dB instead of infinity."""


def check_images(*batches: Tensor) -> None:
    """Raise a MetricError for shapes that differ or are not (N, C, H, W), and values not finite or outside [0, 1]."""
    for batch in batches:
        if batch.ndim != 4 or batch.shape != batches[0].shape:
            shapes = " and ".join(str(tuple(b.shape)) for b in batches)
            raise MetricError(f"images must share one shape (N, C, H, W), got {shapes}")
        if not batch.numel():
            raise MetricError("no images were given")
        low, high = float(batch.min()), float(batch.max())
        if not (low >= 0.0 and high <= DATA_RANGE):
            raise MetricError(f"pixels must lie in [0, 1], found minimum {low:.6g} and maximum {high:.6g}")


def decibels(mse: Any, floor: float = MSE_FLOOR) -> Any:
    """PSNR in dB, for a data range of 1, of mean squared errors: a tensor, an array or a number, in its own precision.

    Args:
        mse: any shape, not negative.
        floor: smaller errors count as this one; with 0, no error is infinitely many dB.
    """
    floored = mse.clip(floor)
    return -10.0 * (np.log10(floored) if isinstance(floored, np.ndarray | np.generic) else floored.log10())
