"""Principal components of images: Jolliffe, "Principal component analysis" (2002), section 3.1."""

import torch
from scipy.linalg import eigh
from torch import Tensor

from vicious.models.fitting import Pairs

CHUNK = 2000
"""Images at a time."""


def mean_image(pairs: Pairs) -> Tensor:
    """The mean of all images, (d,) in [0, 1], float64."""
    return pairs.images.sum(0, dtype=torch.int64).double() / (255 * len(pairs))


def principal_components(pairs: Pairs, mean: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The leading principal components of the images, as rows (at most ``most``, d) of unit length, and the sums of
    squares of the images along them, largest first; float64. ``mean``: of the images."""
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for part in torch.arange(len(pairs)).split(CHUNK):
        centred = pairs.some(part).pixels() - mean
        covariance += centred.T @ centred
    d = len(mean)
    squares, vectors = map(torch.from_numpy, eigh(covariance.numpy(), subset_by_index=(max(0, d - most), d - 1)))
    return vectors.flip(1).T.contiguous(), squares.flip(0).clamp_min(0)
