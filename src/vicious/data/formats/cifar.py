"""Pickled batches in a gzipped tar archive, the format of CIFAR, read without running what a pickle may carry."""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vicious.data.formats.damage import damaged, reading
from vicious.data.formats.pickled import Array, load_pickle
from vicious.data.formats.raw import RawDataset, RawSplit, check_labels
from vicious.system.errors import DataError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """Where things lie in an archive: the folder of all members, those with batches, that with the names of so many
    classes, and the keys of a batch's labels and of these names."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels: str
    names: str
    classes: int


def open_cifar(archive: Path, layout: Layout) -> RawDataset:
    """Open an archive; one batch at a time is held in memory.

    Raises:
        DataError: the archive or a member is missing or damaged, a pickle asks for anything but plain arrays, a
            label is out of range, or labels and images differ in number.
    """
    names = _load(archive, f"{layout.folder}/{layout.meta}").get(layout.names)
    if not isinstance(names, list) or len(names) != layout.classes or not all(map(_is_text, names)):
        raise damaged(archive, f"{layout.folder}/{layout.meta} does not hold {layout.classes} class names")
    splits = {"train": _open_split(archive, layout, layout.train), "test": _open_split(archive, layout, layout.test)}
    return RawDataset(splits, tuple(map(_text, names)))


def _open_split(archive: Path, layout: Layout, batches: Sequence[str]) -> RawSplit:
    labels = [_load_batch(archive, layout, batch)[1] for batch in batches]
    starts = np.cumsum([0, *map(len, labels)])

    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        for batch, start, stop in zip(batches, starts[:-1], starts[1:], strict=True):
            wanted = indices[(indices >= start) & (indices < stop)] - start
            if wanted.size:
                images = _load_batch(archive, layout, batch)[0]
                for index in wanted:
                    yield images[index].reshape(3, 32, 32).transpose(1, 2, 0)

    return RawSplit(np.concatenate(labels), read)


def _load_batch(archive: Path, layout: Layout, batch: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3072) uint8, channels first, and labels (N,) int64 of one batch."""
    member = f"{layout.folder}/{batch}"
    content = _load(archive, member)
    images, labels = (_plain(archive, member, content.get(key)) for key in ("data", layout.labels))
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (_PIXELS,):
        raise damaged(archive, f"{member} has no array `data` of N x {_PIXELS} bytes")
    if isinstance(labels, np.ndarray):  # of a subset that was packed anew
        labels = labels.tolist()
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise damaged(archive, f"{member} has no list `{layout.labels}` of whole numbers")
    if len(labels) != len(images):
        raise damaged(archive, f"{member} has {len(labels)} labels but {len(images)} images")
    try:
        values = np.array(labels, dtype=np.int64)
    except OverflowError as error:
        raise damaged(archive, f"{member} has a label outside 0 to {layout.classes - 1}") from error
    check_labels(values, layout.classes, archive)
    return images, values


def _plain(archive: Path, member: str, value: object) -> object:
    """An array in place of what a pickle says of it; other values as they are."""
    try:
        return value.numpy() if isinstance(value, Array) else value
    except DataError as error:
        raise damaged(archive, f"{member}: {error}") from error


def _load(archive: Path, member: str) -> dict[str, Any]:
    data = _read_member(archive, member)
    try:
        content = load_pickle(data)
    except DataError as error:
        raise damaged(archive, f"{member}: {error}") from error
    except ValueError as error:
        raise damaged(archive, f"{member} is not a whole pickle ({error})") from error
    if not isinstance(content, dict):
        raise damaged(archive, f"{member} does not hold a dictionary")
    return {_text(key): value for key, value in content.items()}


def _read_member(archive: Path, member: str) -> bytes:
    """One member's bytes, found by its exact name; nothing is unpacked to disk, links are not followed.

    A subset may be packed anew in other ways: not compressed, or with names that start with ``./``.
    """
    with reading(archive, member), tarfile.open(archive, _mode(archive)) as tar:
        for entry in tar:  # stops at the member, so a later batch does not cost a scan of the whole archive
            if entry.name.removeprefix("./") == member and entry.isreg():
                file = tar.extractfile(entry)
                assert file is not None
                data = file.read()
                if len(data) != entry.size:
                    raise EOFError(f"{len(data)} of {entry.size} bytes")
                return data
    raise damaged(archive, f"the member {member} is missing")


def _mode(archive: Path) -> Literal["r:", "r:gz"]:
    with archive.open("rb") as file:
        return "r:" if file.read(262).endswith(b"ustar") else "r:gz"


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
