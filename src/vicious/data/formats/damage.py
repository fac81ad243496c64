"""How damage to a file of an official distribution is reported."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vicious.system.errors import DataError


def damaged(path: Path, what: str) -> DataError:
    """The error for a file that is there but is not what it should be."""
    return DataError(f"{path}: {what}. Delete the file and fetch it again, or put an intact copy there")


@contextmanager
def reading(path: Path, member: str = "") -> Iterator[None]:
    """Turn what the archive libraries raise for damage into a DataError that names ``path`` and ``member``."""
    what = f"{member} in it cannot be read" if member else "it cannot be read"
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: fetch the dataset first, or put the file there") from error
    except (EOFError, zlib.error) as error:
        raise damaged(path, f"{what}: the file is cut off or altered ({error})") from error
    except (OSError, ValueError, LookupError, struct.error, zipfile.BadZipFile, RuntimeError) as error:
        # zipfile raises the last one for unknown compression and for encrypted members
        raise damaged(path, f"{what} ({error})") from error
