"""IDX files, as a rule packed with gzip: images and labels of train and test, the format of MNIST."""

import gzip
import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from vicious.data.facts import Dataset
from vicious.data.formats.damage import damaged, reading
from vicious.data.formats.raw import RawDataset, RawSplit, check_labels
from vicious.system.files import open_regular

_LABELS_MAGIC, _IMAGES_MAGIC = 2049, 2051
_UNSIGNED_BYTES = b"\0\0\x08"
"""How an IDX file of such values begins."""
_PIECE = 1 << 20


def open_idx(dataset: Dataset, root: Path) -> RawDataset:
    """Open the four IDX files of ``dataset``: images and labels of train, then of test.

    Raises:
        DataError: a file is missing, cut off or altered, its header is not IDX or promises another length, more images
            than the official file has or images of another size, a label is not in [0, classes), or there are not as
            many labels as images.
    """
    images, labels, test_images, test_labels = (root / file.path for file in dataset.files)
    train, validation, test = dataset.sizes
    return RawDataset(
        {
            "train": _open_split(dataset, images, labels, train + validation),
            "test": _open_split(dataset, test_images, test_labels, test),
        }
    )


def _open_split(dataset: Dataset, images: Path, labels: Path, most: int) -> RawSplit:
    """A split of at most so many images."""
    (count,) = _checked_shape(labels, _LABELS_MAGIC, most)
    shape = _checked_shape(images, _IMAGES_MAGIC, most, dataset.height, dataset.width)
    if shape[0] != count:
        raise damaged(labels, f"it has {count} labels, but {images.name} has {shape[0]} images")
    with reading(labels), _opened(labels) as file:
        values = np.frombuffer(file.read(8 + count)[8:], np.uint8)
    check_labels(values, dataset.classes, labels)
    return RawSplit(values, lambda indices: _read_images(images, shape, indices))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file, which may lie there unpacked although its name ends in ``.gz``."""
    with open_regular(path) as file:
        packed = file.read(3) != _UNSIGNED_BYTES
        file.seek(0)
        yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file


def _checked_shape(path: Path, magic: int, most: int, *of_one: int) -> tuple[int, ...]:
    """The shape in the header: at most so many, and the sides of one image. Nothing is read beyond the bytes that the
    header promises; memory stays at one piece."""
    dimensions = 1 + len(of_one)
    with reading(path), _opened(path) as file:
        header = file.read(4 + 4 * dimensions)
        if len(header) < 4 + 4 * dimensions:
            raise damaged(path, "it is too short for an IDX file")
        found, count, *sides = struct.unpack(f">{1 + dimensions}I", header)
        if found != magic:
            raise damaged(path, f"it starts with {found}, an IDX file of this kind with {magic}")
        if count > most:
            raise damaged(path, f"its header promises {count} images, the official file has {most}")
        if sides != [*of_one]:
            raise damaged(path, f"its images have {_times(sides)} pixels, expected {_times(of_one)}")
        expected, payload = math.prod((count, *sides)), 0
        while payload <= expected and (piece := file.read(_PIECE)):
            payload += len(piece)
    if payload != expected:
        amount = f"more than {expected}" if payload > expected else str(payload)
        raise damaged(path, f"its header promises {_times([count, *sides])} = {expected} bytes, but {amount} follow")
    return (count, *sides)


def _times(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))


def _read_images(path: Path, shape: tuple[int, ...], indices: np.ndarray) -> Iterator[np.ndarray]:
    _, height, width = shape
    with reading(path), _opened(path) as file:
        for index in indices:
            file.seek(16 + int(index) * height * width)
            yield np.frombuffer(file.read(height * width), np.uint8).reshape(height, width, 1)
