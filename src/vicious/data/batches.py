"""Prepared images as tensors, a batch at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vicious.data.prepared import PreparedDataset
from vicious.data.splits import Split
from vicious.system.runtime import moved

EVALUATION_BATCH = 250
"""Images at a time where nothing is trained; no result depends on it."""


class Batch(NamedTuple):
    """Some images of a split.

    Attributes:
        images: (n, C, 32, 32), pixels in [0, 1], laid out for convolutions.
        labels: classes (n,) or attributes in {0, 1} (n, K), int64.
        chosen: (n,), which of the split's images they are, int64.
    """

    images: Tensor
    labels: Tensor
    chosen: Tensor


class Held:
    """A split's images and labels, opened once: on a GPU all of them in its memory, a byte for each pixel; on a CPU in
    their file, of which each batch reads its own."""

    def __init__(self, data: PreparedDataset, split: Split, device: torch.device) -> None:
        self.device = device
        self._images: np.ndarray | Tensor = data.images(split)
        self._labels: np.ndarray | Tensor = data.labels(split)
        if device.type != "cpu":
            self._images, self._labels = (
                torch.from_numpy(np.array(each)).to(device) for each in (self._images, self._labels)
            )

    def __len__(self) -> int:
        return len(self._labels)

    def batches(self, size: int, order: np.ndarray | None = None) -> Iterator[Batch]:
        """``size`` images at a time, in ``order`` (default: as stored)."""
        index = torch.from_numpy(np.arange(len(self)) if order is None else order)
        for chosen in moved(index, self.device).split(size) if len(index) else ():  # split makes an empty part of none
            yield Batch(_pixels(self._of(self._images, chosen)), self._of(self._labels, chosen).long(), chosen)

    def _of(self, stored: np.ndarray | Tensor, chosen: Tensor) -> Tensor:
        return stored[chosen] if isinstance(stored, Tensor) else torch.from_numpy(stored[chosen.numpy()])


def batches(data: PreparedDataset, split: Split, size: int, device: torch.device) -> Iterator[Batch]:
    """All images of a split as stored, ``size`` at a time."""
    return Held(data, split, device).batches(size)


def _pixels(images: Tensor) -> Tensor:
    """uint8 images (n, C, 32, 32) as pixels in [0, 1], laid out for convolutions."""
    return images.float().div_(255).contiguous(memory_format=torch.channels_last)
