"""What measures share: the check of what they are given, and decibels.

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


def check_images(*batches: Any, axes: str = "NCHW") -> None:
    """Raise a MetricError for tensors or arrays that no measure of images is defined for.

    That is: shapes that differ or have other axes, no images, numbers that are not floating point, and values that are
    not finite or outside [0, 1].
    """
    for batch in batches:
        if not hasattr(batch, "shape"):
            raise MetricError(f"images must be tensors or arrays, got {type(batch).__name__}")
        if len(batch.shape) != len(axes) or batch.shape != batches[0].shape:
            shapes = " and ".join(str(tuple(getattr(b, "shape", ()))) for b in batches)
            raise MetricError(f"images must share one shape ({', '.join(axes)}), got {shapes}")
        if not all(batch.shape):
            raise MetricError("no images were given")
        check_values(batch, "pixels", 0.0, DATA_RANGE)


def check_values(values: Any, what: str, low: float = -np.inf, high: float = np.inf) -> None:
    """Raise a MetricError unless a tensor or array holds finite floating point numbers from ``low`` to ``high``."""
    if "float" not in str(values.dtype):
        raise MetricError(f"{what} must be floating point numbers, got {values.dtype}: convert them first")
    if not all(values.shape):
        raise MetricError(f"no {what} were given")
    values = getattr(values, "detach", lambda: values)()
    least, most = float(values.min()), float(values.max())
    if not (low <= least and most <= high and np.isfinite((least, most)).all()):
        where = f"lie in [{low:g}, {high:g}]" if np.isfinite(high) else f"be finite and at least {low:g}"
        raise MetricError(f"{what} must {where}, found minimum {least:.6g} and maximum {most:.6g}")


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
