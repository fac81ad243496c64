"""Archives that PyTorch writes: zip archives with one folder; all but code is stored as it is."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from vicious.auditing.asking import one_line
from vicious.system.errors import AuditError
from vicious.system.files import read_bounded

MOST_OF_MODEL = 1 << 31
"""Bytes of a model's file, at most; ONNX allows no more."""
_MOST_MEMBERS = 100_000
_MOST_UNPACKED = 64 << 20
"""Bytes that a model's compressed parts may unpack to, all together."""


def content_of(path: Path) -> bytes:
    """The bytes of a model's file; raises an AuditError where there are more than :data:`MOST_OF_MODEL`."""
    try:
        return read_bounded(path, MOST_OF_MODEL)
    except ValueError as error:
        raise AuditError(f"{path} cannot be read as a model: {error}. Use a smaller model") from None


def listed(path: Path) -> tuple[str, ...]:
    """Names of an archive's members without the folder that they lie in; none where it is no zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.partition("/")[2] for name in archive.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):  # the third: a zip of a later version
        return ()


def members(path: Path) -> dict[str, bytes]:
    """All members of an archive, by their names without the folder that they lie in.

    Raises:
        AuditError: it is damaged, or not as PyTorch writes it: encrypted, with a name twice, or with compressed parts
            of more than :data:`_MOST_UNPACKED` bytes.
    """
    found: dict[str, bytes] = {}
    left = _MOST_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(content_of(path))) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir()]
            if len(entries) > _MOST_MEMBERS:
                raise zipfile.BadZipFile(f"it has more than {_MOST_MEMBERS:,} members")
            for entry in entries:
                root, _, name = entry.filename.partition("/")
                left -= 0 if entry.compress_type == zipfile.ZIP_STORED else entry.file_size
                if left < 0 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise zipfile.BadZipFile(f"{entry.filename} is too large, or compressed otherwise")
                if name in found or root != entries[0].filename.partition("/")[0]:
                    raise zipfile.BadZipFile(f"{entry.filename} is there twice, or outside of its folder")
                found[name] = archive.read(entry)
    except (OSError, ValueError, LookupError, RuntimeError, zlib.error, EOFError, zipfile.BadZipFile) as error:
        raise AuditError(
            f"{path} is damaged, or no archive as PyTorch writes it ({one_line(error)}): export the model again"
        ) from error
    return found


def packed(parts: Mapping[str, bytes]) -> io.BytesIO:
    """A new archive of these members: what was checked is what is loaded."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(f"model/{name}", content)
    file.seek(0)
    return file
