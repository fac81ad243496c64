"""The folder that may stand in for an archive of images."""

import hashlib
import os
from pathlib import Path

from vicious.data.formats.leftovers import is_leftover
from vicious.system.files import check_regular, open_regular
from vicious.system.progress import Progress

SUFFIX = ".jpg"
"""How the names of images in such a folder end."""


def unpacked_images(folder: Path) -> list[Path]:
    """The images, sorted by name; leftovers of systems and editors are passed over."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not is_leftover(path.name))


def measure(folder: Path) -> tuple[int, str]:
    """Bytes of all images, and the SHA-256 over their names and contents.

    The latter is what ``printf '%s\\0' *.jpg | xargs -0 sha256sum -z | sha256sum`` prints in the folder, with LC_ALL=C.

    Raises:
        DataError: an image is no regular file.
        OSError: an image cannot be read.
    """
    images = unpacked_images(folder)
    size, names = sum(check_regular(path).st_size for path in images), hashlib.sha256()
    with Progress(size, f"check {folder.name}", "B") as progress:
        for path in images:
            with open_regular(path) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
                progress.advance(file.tell())
            names.update(f"{content}  ".encode() + os.fsencode(path.name) + b"\0")
    return size, names.hexdigest()
