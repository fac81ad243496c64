"""Pickled batches in a gzipped tar archive, the format of CIFAR, read without running what a pickle may carry."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vicious.data.facts import Dataset
from vicious.data.formats.damage import damaged
from vicious.data.formats.pickled import Array, load_pickle
from vicious.data.formats.raw import RawDataset, RawSplit, check_labels
from vicious.data.formats.tar import read_member
from vicious.system.errors import DataError


@dataclass(frozen=True)
class Layout:
    """Where things lie in an archive: the folder of all members, those with batches, that with the names of the
    classes, and the keys of a batch's labels and of these names."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels: str
    names: str


@dataclass(frozen=True)
class _Archive:
    """An archive of a dataset, with at most so many bytes unpacked."""

    path: Path
    most: int
    dataset: Dataset
    layout: Layout


def open_cifar(dataset: Dataset, root: Path, layout: Layout) -> RawDataset:
    """Open the archive of ``dataset``; one batch at a time is held in memory.

    Raises:
        DataError: the archive or a member is missing or damaged, a pickle asks for anything but plain arrays, a
            label is out of range, or labels and images differ in number.
    """
    (file,) = dataset.files
    archive = _Archive(root / file.path, file.most, dataset, layout)
    names = _load(archive, layout.meta).get(layout.names)
    if not isinstance(names, list) or len(names) != dataset.classes or not all(map(_is_text, names)):
        raise damaged(archive.path, f"{layout.folder}/{layout.meta} does not hold {dataset.classes} class names")
    splits = {"train": _open_split(archive, layout.train), "test": _open_split(archive, layout.test)}
    return RawDataset(splits, tuple(map(_text, names)))


def _open_split(archive: _Archive, batches: Sequence[str]) -> RawSplit:
    labels = [_load_batch(archive, batch)[1] for batch in batches]
    starts = np.cumsum([0, *map(len, labels)])

    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        for batch, start, stop in zip(batches, starts[:-1], starts[1:], strict=True):
            wanted = indices[(indices >= start) & (indices < stop)] - start
            if wanted.size:
                images = _load_batch(archive, batch)[0]
                for index in wanted:
                    yield images[index].transpose(1, 2, 0)

    return RawSplit(np.concatenate(labels), read)


def _load_batch(archive: _Archive, batch: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, C, H, W) uint8 and labels (N,) int64 of one batch."""
    path, dataset, layout = archive.path, archive.dataset, archive.layout
    member, content = f"{layout.folder}/{batch}", _load(archive, batch)
    shape = (dataset.channels, dataset.height, dataset.width)
    images, labels = (_plain(path, member, content.get(key)) for key in ("data", layout.labels))
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (math.prod(shape),):
        raise damaged(path, f"{member} has no array `data` of N x {math.prod(shape)} bytes")
    if isinstance(labels, np.ndarray):  # of a subset that was packed anew
        labels = labels.tolist()
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise damaged(path, f"{member} has no list `{layout.labels}` of whole numbers")
    if len(labels) != len(images):
        raise damaged(path, f"{member} has {len(labels)} labels but {len(images)} images")
    try:
        values = np.array(labels, dtype=np.int64)
    except OverflowError as error:
        raise damaged(path, f"{member} has a label outside 0 to {dataset.classes - 1}") from error
    check_labels(values, dataset.classes, path)
    return images.reshape(len(images), *shape), values


def _plain(archive: Path, member: str, value: object) -> object:
    """An array in place of what a pickle says of it; other values as they are."""
    try:
        return value.numpy() if isinstance(value, Array) else value
    except DataError as error:
        raise damaged(archive, f"{member}: {error}") from error


def _load(archive: _Archive, name: str) -> dict[str, Any]:
    path, member = archive.path, f"{archive.layout.folder}/{name}"
    data = read_member(path, member, archive.most)
    try:
        content = load_pickle(data)
    except DataError as error:
        raise damaged(path, f"{member}: {error}") from error
    except ValueError as error:
        raise damaged(path, f"{member} is not a whole pickle ({error})") from error
    if not isinstance(content, dict):
        raise damaged(path, f"{member} does not hold a dictionary")
    return {_text(key): value for key, value in content.items()}


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
