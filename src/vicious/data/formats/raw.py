"""What every reader of an official format returns, and how damage to a file is reported."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from vicious.system.errors import DataError


@dataclass(frozen=True)
class RawSplit:
    """One split of an official distribution, in official order.

    Attributes:
        labels: (N,) class numbers (uint8 or int64), or (N, 40) uint8 zeros and ones for CelebA.
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
        splits: "train" and "test", and "validation" where the distribution has one of its own (CelebA).
        label_names: names of the classes or attributes; empty where the distribution has none.
    """

    splits: dict[str, RawSplit]
    label_names: tuple[str, ...] = ()


def damaged(path: Path, what: str) -> DataError:
    """The error for a file that is there but is not what it should be."""
    return DataError(f"{path}: {what}. Delete the file and fetch it again, or put an intact copy there")


def missing(path: Path) -> DataError:
    """The error for a file that is not there."""
    return DataError(f"{path} is missing: fetch the dataset first, or put the file there")


@contextmanager
def reading(path: Path, member: str = "") -> Iterator[None]:
    """Turn what the archive libraries raise for damage into a DataError that names ``path`` and ``member``."""
    what = f"{member} in it cannot be read" if member else "it cannot be read"
    try:
        yield
    except FileNotFoundError as error:
        raise missing(path) from error
    except (EOFError, zlib.error) as error:
        raise damaged(path, f"{what}: the file is cut off or altered ({error})") from error
    except (OSError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        # zipfile raises the last two for unknown compression and for encrypted members
        raise damaged(path, f"{what} ({error})") from error


def decode_rgb(data: bytes, path: Path, member: str) -> np.ndarray:
    """Decode an image file's bytes to uint8 (H, W, 3); grey images are repeated over the channels.

    Raises:
        DataError: the bytes are not a complete image; names ``path`` and ``member``.
    """
    from PIL import Image

    try:
        with Image.open(BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise damaged(path, f"the image {member} cannot be decoded ({error})") from error


def check_labels(labels: np.ndarray, classes: int, path: Path) -> None:
    """Raise a DataError unless every label lies in [0, classes)."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        first = int(wrong[0])
        raise damaged(path, f"label {labels[first]} of image {first} is outside 0 to {classes - 1}")
