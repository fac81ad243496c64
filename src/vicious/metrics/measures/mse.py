"""Mean squared error of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

UNIT = ""
LOW, HIGH = 0.0, 1.0


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of each image. Shapes: two of (N, C, H, W) -> (N,)."""
    return (x - y).square().flatten(1).mean(1)
