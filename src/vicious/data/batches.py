"""Prepared images as tensors, a batch at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vicious.data.prepared import PreparedDataset
from vicious.data.splits import Split

EVALUATION_BATCH = 250
"""Images at a time where nothing is trained; no result depends on it."""


def batches(
    data: PreparedDataset, split: Split, size: int, device: torch.device, order: np.ndarray | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (n, C, 32, 32) in [0, 1] and labels of a split, ``size`` at a time, in ``order`` (default: as stored)."""
    images, labels = data.images(split), data.labels(split)
    for start in range(0, len(labels) if order is None else len(order), size):
        chosen = slice(start, start + size) if order is None else order[start : start + size]
        picked = torch.from_numpy(np.asarray(labels[chosen]).astype(np.int64)).to(device)
        yield as_batch(images[chosen], device), picked


def as_batch(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 images (n, C, 32, 32) as pixels in [0, 1], laid out for convolutions."""
    pixels = torch.from_numpy(np.array(images)).to(device)
    return pixels.float().div_(255).contiguous(memory_format=torch.channels_last)
