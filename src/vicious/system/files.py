"""Writing files so that a final name never holds half a file; reading none but regular files."""

import errno
import fcntl
import glob
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vicious.system.errors import DataError, StorageError
from vicious.system.interrupt import held_back

if TYPE_CHECKING:
    import pandas as pd

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EROFS: "the file system is read-only: choose a folder that can be written",
    errno.EACCES: "permission was denied: choose a folder that can be written",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the file system's refusals while writing ``path`` into :class:`StorageError`.

    Libraries that write through C or Rust wrap the cause, so the chain is searched for it.
    """
    try:
        yield
    except Exception as error:
        reason = _refusal(error)
        if reason is None:
            raise
        raise StorageError(f"cannot write {path}: {reason}, then run the same command again") from error


def _refusal(error: BaseException) -> str | None:
    """Why the file system refused, if it did: as an OSError, or as the text that libraries in Rust make of it."""
    cause: BaseException | None = error
    while cause is not None:
        told = re.search(r"\(os error (\d+)\)", str(cause))
        code = cause.errno if isinstance(cause, OSError) else int(told[1]) if told else None
        if code in _REASONS:
            return _REASONS[code]
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success it becomes ``path``, on any error or signal it is removed.

    The temporary name keeps the suffix of ``path``, since some writers choose their format by it. While it is written
    it is locked. What a killed process left of ``path`` is not, and so goes with the next write. Open this very file to
    write: another that takes its name has no lock.

    Raises:
        StorageError: the disk is full, read-only, or may not be written.
    """
    target = Path(path)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(target)
        handle, temporary = -1, target
        try:
            with held_back():
                handle, temporary = _locked_temporary(target)
            yield temporary
            with temporary.open("rb+") as file, best_effort():
                os.fsync(file.fileno())
            with held_back():
                with best_effort():
                    temporary.chmod(0o666 & ~_umask())
                temporary.replace(target)
        finally:
            if handle >= 0:
                with held_back():
                    temporary.unlink(missing_ok=True)
                    os.close(handle)


_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENOTTY, errno.ENOLCK}


@contextmanager
def best_effort() -> Iterator[None]:
    """A block that may fail where the file system does not know what it asks for: locks, modes, or fsync."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def check_writable(folder: Path, size: int = 64 * 1024) -> None:
    """Raise StorageError unless so many bytes can be written in a folder, or where it would be made; nothing is left of
    them."""
    place = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    with storage_errors(folder), tempfile.TemporaryFile(dir=place) as file:
        file.write(bytes(size))


def _locked_temporary(target: Path) -> tuple[int, Path]:
    """A new file beside ``target``, open and locked by this process."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=f".part{target.suffix}", dir=target.parent)
        with suppress(OSError):  # a file system without locks: then nobody removes it either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # another process took it for left behind before it was locked


def _remove_left(target: Path) -> None:
    """Remove temporary files of ``target`` whose process is dead, that is, whose lock can be taken."""
    pattern = f".{glob.escape(target.stem)}.{'?' * 8}.part{glob.escape(target.suffix)}"
    for left in target.parent.glob(pattern):
        with suppress(OSError), left.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content``, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 with ``\\n`` line ends, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as sorted, indented, strictly standard JSON (NaN and infinity raise ``ValueError``)."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_csv(frame: "pd.DataFrame", path: str | os.PathLike[str]) -> None:
    """Write a table without its index, numbers with eight digits, atomically."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.8g", lineterminator="\n")


_SPECIAL = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: str | os.PathLike[str]) -> os.stat_result:
    """The facts of a regular file, or of the one that a link leads to.

    Raises:
        DataError: it is something else, which could be read for ever.
        OSError: it is missing, or cannot be looked at.
    """
    return _regular(Path(path).stat(), path)


def _regular(facts: os.stat_result, path: str | os.PathLike[str]) -> os.stat_result:
    if not stat.S_ISREG(facts.st_mode):
        kind = _SPECIAL.get(stat.S_IFMT(facts.st_mode), "something special")
        raise DataError(f"{os.fspath(path)} cannot be read: it is {kind}. Put the file itself there")
    return facts


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file to read its bytes; raises as :func:`check_regular`, and never waits for another process."""
    check_regular(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except BlockingIOError:  # a file server has lent it to somebody, and asks it back
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _regular(os.fstat(handle), path)  # another may have taken its name
    except BaseException:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


MOST_JSON = 16 * 1024 * 1024
"""Bytes of a JSON file; the largest records, which name every file of a study, have one or two million."""
MOST_NESTED = 30
"""How deep values lie in each other in a JSON file; in those written here 5."""


def read_bounded(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a file; raises as :func:`open_regular`, and a ValueError where it has more than ``most``."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= most else b""
    if max(size, len(content)) > most:
        raise ValueError(f"it is larger than {most:,} bytes")
    return content


def parse_json(content: bytes) -> Any:
    """The value of a standard JSON text in UTF-8.

    Raises:
        ValueError: it is none; or it holds a key twice, NaN, a number that no float can hold, half a surrogate pair, or
            nests deeper than :data:`MOST_NESTED`.
    """
    try:
        found = json.loads(
            content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite
        )
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [found]
    for _ in range(MOST_NESTED):
        inner = [one for one in level if isinstance(one, list | dict)]
        level = [part for one in inner for part in (one if isinstance(one, list) else (*one, *one.values()))]
        "".join(one for one in level if isinstance(one, str)).encode("utf-8", "surrogateescape")
    if level:
        raise ValueError(_TOO_DEEP)
    return found


_TOO_DEEP = f"it nests deeper than {MOST_NESTED}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:60]!r} stands there twice")
        found[name] = value
    return found


def _finite(text: str) -> float:
    if not math.isfinite(found := float(text)):
        raise ValueError(f"{text[:60]} is no finite number")
    return found


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read one JSON file; raises as :func:`read_bounded` and :func:`parse_json`."""
    return parse_json(read_bounded(path, MOST_JSON))


def digest(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """Hexadecimal hash of a file's bytes, read in pieces; raises as :func:`open_regular`."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
