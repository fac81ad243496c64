"""Encoded images, such as JPEG files, in a zip archive or in a folder, decoded one by one."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

from vicious.data.formats.damage import damaged, reading
from vicious.data.formats.leftovers import is_leftover
from vicious.data.formats.raw import RawSplit


def list_images(source: Path, prefix: str, suffix: str) -> set[str]:
    """Names of the images in a folder, or of those below ``prefix`` in a zip archive, without the prefix; raises
    DataError where the source is missing or damaged. Leftovers of systems and editors are passed over."""
    with reading(source):
        if source.is_dir():
            return {path.name for path in source.iterdir() if path.suffix == suffix and not is_leftover(path.name)}
        with zipfile.ZipFile(source) as file:
            names = file.namelist()
    images = (name.removeprefix(prefix) for name in names if name.startswith(prefix) and name.endswith(suffix))
    return {name for name in images if not is_leftover(name)}


def image_split(source: Path, names: Sequence[str], labels: np.ndarray, prefix: str = "") -> RawSplit:
    """The images of ``names`` in a folder, or below ``prefix`` in a zip archive, each with its row of ``labels``."""

    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        with _opened(source, prefix) as load:
            for index in indices:
                name = names[index]
                with reading(source, name):
                    data = load(name)
                yield decode(data, source, name)

    return RawSplit(labels, read)


@contextmanager
def _opened(source: Path, prefix: str) -> Iterator[Callable[[str], bytes]]:
    """A function from an image's name to its bytes."""
    if source.is_dir():
        yield lambda name: (source / name).read_bytes()
    else:
        with reading(source), zipfile.ZipFile(source) as file:
            yield lambda name: file.read(prefix + name)


def decode(data: bytes, path: Path, member: str) -> np.ndarray:
    """Decode an image file's bytes to uint8 (H, W, 3), grey ones repeated over the channels; raises a DataError, which
    names ``path`` and ``member``, where they are not a complete image."""
    # Pillow and not torchvision.io: the pixels are the same, but torchvision deprecates its decoders since 0.29
    from PIL import Image

    try:
        with Image.open(BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise damaged(path, f"the image {member} cannot be decoded ({error})") from error
