"""Peak signal-to-noise ratio. A perfect image has 100 dB, by :data:`vicious.metrics.image.MSE_FLOOR`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vicious.metrics.image import decibels
from vicious.metrics.measures.mse import mse

if TYPE_CHECKING:
    from torch import Tensor

UNIT = "dB"
LOW, HIGH = 0.0, 100.0
CLOSER = 1.0


def psnr(x: Any, y: Any) -> Tensor:
    """PSNR of each image. Shapes: two of (N, C, H, W) -> (N,).

    Raises:
        MetricError: as :func:`~vicious.metrics.checks.check_images`.
    """
    ratio: Tensor = decibels(mse(x, y))
    return ratio
