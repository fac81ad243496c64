"""What every reader of an official format returns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vicious.data.formats.damage import damaged


@dataclass(frozen=True)
class RawSplit:
    """One split of an official distribution, in official order.

    Attributes:
        labels: (N,) class numbers (uint8 or int64), or (N, K) uint8 zeros and ones for attributes.
        reader: yields the images of ascending indices; use :meth:`images`, which checks them.
    """

    labels: np.ndarray
    reader: Callable[[np.ndarray], Iterator[np.ndarray]]

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the images of ``indices`` one by one as uint8 (H, W, C).

        Archives are streams, so the indices must ascend: each archive is then read once, with flat memory.

        Raises:
            ValueError: the indices do not ascend strictly or lie outside the split.
            DataError: an image is missing or cannot be decoded.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if chosen.size and (chosen[0] < 0 or chosen[-1] >= len(self) or np.any(np.diff(chosen) <= 0)):
            raise ValueError(f"indices must ascend strictly within 0 to {len(self) - 1}")
        return self.reader(chosen)


@dataclass(frozen=True)
class RawDataset:
    """An opened official distribution.

    Attributes:
        splits: "train" and "test", and "validation" where the distribution has one of its own.
        label_names: names of the classes or attributes; empty where the distribution has none.
    """

    splits: dict[str, RawSplit]
    label_names: tuple[str, ...] = ()


def check_labels(labels: np.ndarray, classes: int, path: Path) -> None:
    """Raise a DataError unless every label lies in [0, classes)."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        first = int(wrong[0])
        raise damaged(path, f"label {labels[first]} of image {first} is outside 0 to {classes - 1}")
