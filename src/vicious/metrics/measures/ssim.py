"""Structural similarity: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
structural similarity" (2004), with its 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, averaged where the whole
window lies in the image.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from vicious.metrics.checks import DATA_RANGE
from vicious.metrics.image import image_tensors
from vicious.system.errors import MetricError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

UNIT = ""
LOW, HIGH = -1.0, 1.0
CLOSER = 1.0
WINDOW_SIDE = 11
WINDOW_SIGMA = 1.5


def ssim(x: Any, y: Any) -> Tensor:
    """Structural similarity of each image, averaged over channels and positions, in [-1, 1]; 1 for equal images.

    It is computed in float64, since variances of flat images are differences of nearly equal numbers, and returned in
    the precision of ``x``. Differentiable. Shapes: two of (N, C, H, W), H and W at least 11 -> (N,).

    Raises:
        MetricError: as :func:`~vicious.metrics.checks.check_images`, or images smaller than the window.
    """
    x, y = image_tensors(x, y)
    if min(x.shape[2:]) < WINDOW_SIDE:
        raise MetricError(f"SSIM needs images of at least {WINDOW_SIDE}x{WINDOW_SIDE} pixels, got {tuple(x.shape)}")
    values: Tensor = similarity(x.double(), y.double()).clamp(LOW, HIGH).to(x.dtype)
    return values


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """:func:`ssim` without a check and in the precision of ``x``, as training needs it: rounding may exceed 1."""
    import torch

    rows, columns = (_blur_matrix(side, x.dtype, x.device) for side in x.shape[2:])
    moments = rows @ torch.stack([x, y, x * x, y * y, x * y]) @ columns.T
    mean_x, mean_y, square_x, square_y, product = moments
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    covariance = product - mean_x * mean_y
    variances = square_x - mean_x.square() + square_y - mean_y.square()
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x.square() + mean_y.square() + c1) * (variances + c2)
    found: Tensor = (numerator / denominator).flatten(1).mean(1)
    return found


@cache
def _blur_matrix(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The one-dimensional Gaussian window at each position where it fits, as a band matrix (side - 10, side).

    A product with it is many times faster on a CPU than a convolution of single-channel images, and as exact.
    """
    import torch

    offsets = torch.arange(WINDOW_SIDE, dtype=torch.float64) - WINDOW_SIDE // 2
    weights = torch.exp(-0.5 * (offsets / WINDOW_SIGMA) ** 2)
    band = torch.zeros(side - WINDOW_SIDE + 1, side, dtype=torch.float64)
    for position, row in enumerate(band):
        row[position : position + WINDOW_SIDE] = weights / weights.sum()
    return band.to(dtype=dtype, device=device)
