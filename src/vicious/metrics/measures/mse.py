"""Mean squared error of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vicious.metrics.image import image_tensors

if TYPE_CHECKING:
    from torch import Tensor

UNIT = ""
LOW, HIGH = 0.0, 1.0
CLOSER = -1.0


def mse(x: Any, y: Any) -> Tensor:
    """Mean squared error of each image. Shapes: two of (N, C, H, W) -> (N,).

    Raises:
        MetricError: as :func:`~vicious.metrics.checks.check_images`.
    """
    return squared_error(*image_tensors(x, y))


def squared_error(x: Tensor, y: Tensor) -> Tensor:
    """:func:`mse` without a check, as training needs it."""
    return (x - y).square().flatten(1).mean(1)
