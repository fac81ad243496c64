"""JPEG files in a zip archive or in a folder, decoded one by one."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np

from vicious.data.facts import Dataset
from vicious.data.formats.damage import damaged, reading
from vicious.data.formats.leftovers import is_leftover
from vicious.data.formats.raw import RawSplit
from vicious.data.unpacked import SUFFIX, unpacked_images
from vicious.system.files import open_regular

MOST_OF_ONE = 1 << 18
"""The most bytes of one encoded image; those of the datasets here have a tenth of it."""

_MOST_AT_ONCE = 32 << 20
"""The most bytes that are read from an archive at once: the list of its members. CelebA's has 21 MB."""


class _Archive:
    """A zip archive's file, which refuses to be read by more than some bytes at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MOST_AT_ONCE + 1 if size < 0 else size) if size <= _MOST_AT_ONCE else None
        if data is None or len(data) > _MOST_AT_ONCE:
            raise zipfile.BadZipFile("the list of its members is too long")
        return data


@contextmanager
def open_zip(source: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; raises DataError where it is missing or damaged, and for damage that the block meets."""
    with reading(source), open_regular(source) as file, zipfile.ZipFile(cast("IO[bytes]", _Archive(file))) as archive:
        yield archive


def read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One member's bytes; raises KeyError where there is none, and BadZipFile where it has more than ``most`` bytes, or
    is compressed in a way that cannot be unpacked in parts."""
    entry = archive.getinfo(name)
    if entry.file_size > most:
        raise zipfile.BadZipFile(f"{name} has {entry.file_size} bytes, more than {most}")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} is not compressed by deflate")
    with archive.open(entry) as member:
        return _whole(member, most, name)


def _whole(file: IO[bytes], most: int, name: str) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"{name} has more than {most} bytes")
    return data


def list_images(source: Path, prefix: str) -> set[str]:
    """Names of the images in a folder, or of those below ``prefix`` in a zip archive, without the prefix; raises
    DataError where the source is missing or damaged. Leftovers of systems and editors are passed over."""
    if source.is_dir():
        with reading(source):
            return {path.name for path in unpacked_images(source)}
    with open_zip(source) as archive:
        names = archive.namelist()
    images = (name.removeprefix(prefix) for name in names if name.startswith(prefix) and name.endswith(SUFFIX))
    return {name for name in images if not is_leftover(name)}


def image_split(dataset: Dataset, source: Path, names: Sequence[str], labels: np.ndarray, prefix: str = "") -> RawSplit:
    """The images of ``names`` in a folder, or below ``prefix`` in a zip archive, each with its row of ``labels``."""

    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        with _opened(source, prefix) as load:
            for index in indices:
                name = names[index]
                with reading(source, name):
                    data = load(name)
                yield decode(dataset, data, source, name)

    return RawSplit(labels, read)


@contextmanager
def _opened(source: Path, prefix: str) -> Iterator[Callable[[str], bytes]]:
    """A function from an image's name to its bytes."""
    if source.is_dir():
        yield lambda name: _read_file(source / name)
    else:
        with open_zip(source) as archive:
            yield lambda name: read_member(archive, prefix + name, MOST_OF_ONE)


def _read_file(path: Path) -> bytes:
    with open_regular(path) as file:
        return _whole(file, MOST_OF_ONE, path.name)


def decode(dataset: Dataset, data: bytes, path: Path, member: str) -> np.ndarray:
    """Decode a JPEG file's bytes to uint8 (H, W, 3), grey ones repeated over the channels; raises a DataError, which
    names ``path`` and ``member``, where they are not a complete image of the dataset's size."""
    # Pillow and not torchvision.io: the pixels are the same, but torchvision deprecates its decoders since 0.29
    from PIL import Image

    try:
        # By no other decoder: some start programs
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            size, expected = image.size, (dataset.width, dataset.height)
            if size == expected:
                return np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow's are of any kind
        raise damaged(path, f"the image {member} cannot be decoded ({error})") from error
    found, wanted = (f"{width} x {height}" for width, height in (size, expected))
    raise damaged(path, f"the image {member} is {found} pixels wide and high, expected {wanted}")
