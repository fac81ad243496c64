"""Arrays that others stored, .npy or .npz: numbers alone, never pickled."""

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.asking import one_line
from vicious.system.errors import AuditError
from vicious.system.files import open_regular

_DAMAGE = (ValueError, OSError, EOFError, TypeError, SyntaxError, LookupError, RuntimeError, zlib.error, TokenError)
MOST_OF_ARRAY = 4 << 30
"""Bytes of an array, at most."""


def read_array(path: Path, name: str) -> NDArray[np.generic]:
    """The array in a .npy file, mapped and not yet read; or the one of a .npz file: the only one, or that of ``name``.

    Raises:
        AuditError: it is damaged, holds objects, or has too many bytes; or there are several arrays, none of that name.
    """
    try:
        with open_regular(path) as file:
            if file.read(6) == b"\x93NUMPY":
                return _sized(path, np.lib.format.open_memmap(path, mode="r"))
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                return _of_archive(path, archive, name)
    except (*_DAMAGE, MemoryError, OverflowError) as error:  # numpy raises the last two for sizes that are not there
        raise AuditError(f"{path} is damaged, or no array of numbers ({_words(error)}): store it again") from error
    except zipfile.BadZipFile as error:
        raise AuditError(f"{path} is no .npy or .npz file, or damaged ({one_line(error)}): store it again") from error


def _of_archive(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    entries = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
    key = name if name in entries else next(iter(entries)) if len(entries) == 1 else None
    if key is None:
        shown = ", ".join(list(entries)[:10]) or "none"
        raise AuditError(f"{path} holds the arrays {shown}: store one, or one by the name {name!r}")
    if entries[key].file_size > MOST_OF_ARRAY:
        raise AuditError(f"{path} holds an array of more than {MOST_OF_ARRAY:,} bytes: store fewer rows")
    with archive.open(entries[key]) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _sized(path: Path, array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.nbytes > MOST_OF_ARRAY:
        raise AuditError(f"{path} holds an array of more than {MOST_OF_ARRAY:,} bytes: store fewer rows")
    return array


def _words(error: BaseException) -> str:
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return "it holds pickled objects, which are not opened"
    return one_line(error)
