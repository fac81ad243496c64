"""IDX files, as a rule packed with gzip: images and labels of train and test, the format of MNIST."""

import gzip
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from vicious.data.facts import Dataset
from vicious.data.formats.damage import damaged, reading
from vicious.data.formats.raw import RawDataset, RawSplit, check_labels

_LABELS_MAGIC, _IMAGES_MAGIC = 2049, 2051
_UNSIGNED_BYTES = b"\0\0\x08"
"""How an IDX file of such values begins."""
_PIECE = 1 << 20


def open_idx(dataset: Dataset, root: Path) -> RawDataset:
    """Open the four IDX files of ``dataset``: images and labels of train, then of test.

    Raises:
        DataError: a file is missing, cut off or altered, its header is not IDX or promises another length, a label
            is not in [0, classes), or there are not as many labels as images.
    """
    images, labels, test_images, test_labels = (root / file.path for file in dataset.files)
    train, test = _open_split(images, labels, dataset.classes), _open_split(test_images, test_labels, dataset.classes)
    return RawDataset({"train": train, "test": test})


def _open_split(images: Path, labels: Path, classes: int) -> RawSplit:
    (count,) = _checked_shape(labels, _LABELS_MAGIC, 1)
    shape = _checked_shape(images, _IMAGES_MAGIC, 3)
    if shape[0] != count:
        raise damaged(labels, f"it has {count} labels, but {images.name} has {shape[0]} images")
    with reading(labels), _opened(labels) as file:
        values = np.frombuffer(file.read()[8:], np.uint8)
    check_labels(values, classes, labels)
    return RawSplit(values, lambda indices: _read_images(images, shape, indices))


def _opened(path: Path) -> BinaryIO:
    """The unpacked bytes of a file, which may lie there unpacked although its name ends in ``.gz``."""
    with path.open("rb") as file:
        packed = file.read(3) != _UNSIGNED_BYTES
    return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")


def _checked_shape(path: Path, magic: int, dimensions: int) -> tuple[int, ...]:
    """The shape in the header, after checking that exactly so many bytes follow; memory stays at one piece."""
    with reading(path), _opened(path) as file:
        header = file.read(4 + 4 * dimensions)
        if len(header) < 4 + 4 * dimensions:
            raise damaged(path, "it is too short for an IDX file")
        found, *shape = struct.unpack(f">{1 + dimensions}I", header)
        if found != magic:
            raise damaged(path, f"it starts with {found}, an IDX file of this kind with {magic}")
        expected, payload = math.prod(shape), 0
        while payload <= expected and (piece := file.read(_PIECE)):
            payload += len(piece)
    if payload != expected:
        promise = " x ".join(map(str, shape))
        amount = f"more than {expected}" if payload > expected else str(payload)
        raise damaged(path, f"its header promises {promise} = {expected} bytes, but {amount} follow")
    return tuple(shape)


def _read_images(path: Path, shape: tuple[int, ...], indices: np.ndarray) -> Iterator[np.ndarray]:
    _, height, width = shape
    with reading(path), _opened(path) as file:
        for index in indices:
            file.seek(16 + int(index) * height * width)
            yield np.frombuffer(file.read(height * width), np.uint8).reshape(height, width, 1)
