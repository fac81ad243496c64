"""Archives whose bytes follow from their contents alone: no clock, no user, no file name enters them."""

import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from vicious.system.files import atomic_path

_QUALITY = 90
_DOS_EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def gzip_writer(path: Path) -> Iterator[IO[bytes]]:
    """Write a gzip file without time or name in its header; it appears when complete."""
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed,
    ):
        yield packed  # type: ignore[misc]  # GzipFile is a binary file in all but its declared type


@contextmanager
def zip_writer(path: Path) -> Iterator[zipfile.ZipFile]:
    """Write a zip archive; it appears when complete."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield archive


def add_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add one member with a fixed date and fixed permissions."""
    info = zipfile.ZipInfo(name, _DOS_EPOCH)
    info.create_system, info.external_attr = 3, 0o644 << 16
    archive.writestr(info, data)


def jpeg(image: np.ndarray) -> bytes:
    """Encode one uint8 (H, W, 3) image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()


class ChunkReader:
    """A readable file made of chunks that are produced only when asked for."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""

    def read(self, size: int = io.DEFAULT_BUFFER_SIZE, /) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        parts = []
        while size and (chunk := self._rest or next(self._chunks, b"")):
            parts.append(chunk[:size])
            self._rest, size = chunk[size:], size - len(parts[-1])
        return b"".join(parts)
