"""One member of a tar archive, gzipped or not. The archive is read as a stream; nothing is unpacked to disk.

Python's own reader takes names and lists of holes of any length into memory before one can look at them. This one looks
at each header alone. Links are not followed, and what other headers say of longer names is passed over.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from vicious.data.formats.damage import damaged, reading
from vicious.system.files import open_regular

MEMBERS = 1000
"""The most members of an archive that are looked at."""

_BLOCK, _PIECE = 512, 1 << 20
_GZIP = b"\x1f\x8b"
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes
_SPARSE = b"S"


def read_member(archive: Path, member: str, most: int) -> bytes:
    """The bytes of the first regular file of this name, which may start with ``./`` in the archive.

    Raises:
        DataError: the archive is missing or damaged, has no such member, a sparse one, or too many of them, or more
            than ``most`` bytes would be unpacked.
    """
    with reading(archive, member), _opened(archive) as stream:
        for _ in range(MEMBERS):
            header = stream.read(_BLOCK)
            if header and not any(header):  # the end
                break
            name, kind, size = _parsed(header)
            if kind == _SPARSE:
                raise damaged(archive, f"its member {name} is sparse, which is refused")
            size = 0 if kind in _WITHOUT_DATA else size
            padded = size + -size % _BLOCK
            most -= _BLOCK + padded
            if most < 0:
                raise damaged(archive, f"its members up to {name} are larger than all of the official archive's")
            if kind in _REGULAR and name.removeprefix("./") == member:
                return _exactly(stream, size)
            for start in range(0, padded, _PIECE):
                _exactly(stream, min(_PIECE, padded - start))
        else:
            raise damaged(archive, f"it has more than {MEMBERS} members")
    raise damaged(archive, f"the member {member} is missing")


@contextmanager
def _opened(archive: Path) -> Iterator[BinaryIO]:
    with open_regular(archive) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file


def _parsed(header: bytes) -> tuple[str, bytes, int]:
    """Name, kind and size that one header states; raises EOFError and ValueError where it is none."""
    if len(header) < _BLOCK:
        raise EOFError("it ends within a header")
    checksum = sum(header[:148]) + sum(header[156:]) + 8 * ord(" ")
    if _octal(header[148:156]) != checksum:
        raise ValueError("a header of a member is damaged")
    name, folder = header[:100], header[345:500] if header[257:263] == b"ustar\0" else b""
    parts = [part.partition(b"\0")[0].decode("utf-8", "replace") for part in (folder, name)]
    return "/".join(filter(None, parts)), header[156:157], _octal(header[124:136])


def _octal(field: bytes) -> int:
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise ValueError(f"a header of a member holds {digits!r} in place of a number")
    return int(digits or b"0", 8)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"{len(data)} of {size} bytes")
    return data
