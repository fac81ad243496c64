"""Image quality per image: MSE, PSNR and SSIM of pixels in [0, 1]. Averages are the caller's, so batches never matter.

SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity" (2004),
with its 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, averaged where the whole window lies in the image.
"""

import torch
from torch import Tensor

from vicious.system.errors import MetricError

DATA_RANGE = 1.0
WINDOW_SIDE = 11
WINDOW_SIGMA = 1.5
MSE_FLOOR = 1e-10
"""Below this MSE a reconstruction counts as perfect: its PSNR is reported as 100 dB instead of infinity."""


def check_images(*batches: Tensor) -> None:
    """Refuse what the measures are not defined for.

    Raises:
        MetricError: shapes differ or are not (N, C, H, W), or values are not finite or outside [0, 1].
    """
    for batch in batches:
        if batch.ndim != 4 or batch.shape != batches[0].shape:
            shapes = " and ".join(str(tuple(b.shape)) for b in batches)
            raise MetricError(f"images must share one shape (N, C, H, W), got {shapes}")
        if not batch.numel():
            raise MetricError("no images were given")
        low, high = float(batch.min()), float(batch.max())
        if not (low >= 0.0 and high <= DATA_RANGE):
            raise MetricError(f"pixels must lie in [0, 1], found minimum {low:.6g} and maximum {high:.6g}")


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of each image. Shapes: two of (N, C, H, W) -> (N,)."""
    return (x - y).square().flatten(1).mean(1)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB, for a data range of 1; 100 dB where it is perfect.

    Shapes: two of (N, C, H, W) -> (N,).
    """
    return -10.0 * mse(x, y).clamp_min(MSE_FLOOR).log10()


def _blur_matrix(side: int, like: Tensor) -> Tensor:
    """SSIM's one-dimensional Gaussian window at each position where it fits, as a band matrix (side - 10, side).

    A product with it is many times faster on a CPU than a convolution of single-channel images, and as exact.
    """
    offsets = torch.arange(WINDOW_SIDE, dtype=torch.float64) - WINDOW_SIDE // 2
    weights = torch.exp(-0.5 * (offsets / WINDOW_SIGMA) ** 2)
    band = torch.zeros(side - WINDOW_SIDE + 1, side, dtype=torch.float64)
    for position, row in enumerate(band):
        row[position : position + WINDOW_SIDE] = weights / weights.sum()
    return band.to(like)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of each image, averaged over channels and positions; differentiable.

    Shapes: two of (N, C, H, W), H and W at least 11 -> (N,). Range [-1, 1], 1 for equal images.
    """
    rows, columns = (_blur_matrix(side, x) for side in x.shape[2:])
    moments = rows @ torch.stack([x, y, x * x, y * y, x * y]) @ columns.T
    mean_x, mean_y, square_x, square_y, product = moments
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    covariance = product - mean_x * mean_y
    variances = square_x - mean_x.square() + square_y - mean_y.square()
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x.square() + mean_y.square() + c1) * (variances + c2)
    return (numerator / denominator).flatten(1).mean(1)
