"""Images of a user, from a folder, a zip archive or an array, as a model takes them.

Of a file that others made: nothing is unpacked to disk, names are labels alone, and an image is decoded only if its
size is one that fits in memory. One image is decoded at a time.
"""

import io
import math
import os
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.arrays import read_array
from vicious.data.formats.images import open_zip
from vicious.data.formats.leftovers import is_leftover
from vicious.system.errors import AuditError, DataError
from vicious.system.files import open_regular
from vicious.system.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 2000
"""Images that an audit uses unless more are asked for."""
LARGEST_OWN = 64
"""Pixels of a side, at most, where no size is asked for."""
_MOST_PIXELS = 50_000_000
"""Pixels of an image before it is resized; decoded they take up to 200 MB."""
_MOST_BYTES = 64 << 20
"""Bytes of an encoded image."""
_MOST_NAMES = 1_000_000
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Formats that Pillow decodes itself: for others it may start programs."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pnm")
_ROOM = 100_000_000
"""Values of the images of an audit, float32: 400 MB."""
_MOST_VALUES = 400_000_000
"""Values of all images together, float32."""


@dataclass(frozen=True)
class Images:
    """A user's images.

    Attributes:
        names: of each: its path below the folder or in the archive; of an array's the row's number.
        pixels: (n, C, H, W) in [0, 1].
        notes: what was left out or assumed, a sentence each.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.float32]
    notes: tuple[str, ...] = ()


def read_images(
    path: Path, channels: int | None = None, height: int | None = None, width: int | None = None, most: int = MOST
) -> Images:
    """Read at most ``most`` images, evenly chosen by name or row, in the channels and the size that are asked for.

    None: colour if the first images have some, and the most common size, at most 64 x 64. Transparent pixels are shown
    on white. Resizing is bilinear with antialiasing; it does not keep proportions.

    Raises:
        AuditError: nothing there is an image; the array is none of images; the archive is damaged or encrypted; or all
            images together would not fit into memory.
    """
    if most < 1:
        raise AuditError(f"--images {most}: at least 1 image is needed")
    if not path.exists():
        raise AuditError(f"{path} is missing: give a folder of images, a zip archive, or an array (.npy, .npz)")
    if path.is_dir():
        return _of_files(path, _Folder(path), (channels, height, width), most)
    with open_regular(path) as file:
        head = file.read(8)
    if path.suffix.lower() in (".npy", ".npz") or head.startswith(b"\x93NUMPY"):
        return images_of_array(read_array(path, "images"), channels, height, width, most, path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with _archive(path) as archive:
            return _of_files(path, _Zip(path, archive), (channels, height, width), most)
    return _of_files(path, _One(path), (channels, height, width), most)


Wanted = tuple[int | None, int | None, int | None]
"""Channels, height, width; None: the images' own."""


class _Folder:
    """The files below a folder. Hidden ones, leftovers of systems, and what links lead to outside are passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Paths below the folder, sorted."""
        found: list[str] = []
        home = self._path.resolve()
        for at, folders, files in os.walk(self._path):
            folders[:] = sorted(name for name in folders if not is_leftover(name))
            for name in files:
                place = Path(at) / name
                if not is_leftover(name) and not _leads_out(place, home):
                    found.append(place.relative_to(self._path).as_posix())
            if len(found) > _MOST_NAMES:
                raise AuditError(f"{self._path} has more than {_MOST_NAMES:,} files: give a folder with fewer")
        return sorted(found)

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        with open_regular(self._path / name) as file:
            return file.read(_MOST_BYTES + 1)


def _leads_out(place: Path, home: Path) -> bool:
    """Whether a file is a link to outside of a folder, or to nothing."""
    if not place.is_symlink():
        return False
    try:
        return not place.resolve(strict=True).is_relative_to(home)
    except (OSError, RuntimeError):
        return True


class _One:
    """A single file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Its name."""
        return [self._path.name]

    def read(self, _name: str) -> bytes:
        """Its bytes."""
        with open_regular(self._path) as file:
            return file.read(_MOST_BYTES + 1)


class _Zip:
    """The members of a zip archive, read in memory."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        entries = [one for one in archive.infolist() if not one.is_dir() and not is_leftover(one.filename)]
        if any(one.flag_bits & 1 for one in entries):
            raise AuditError(f"{path} is encrypted: unpack it, and give the folder")
        if len(entries) > _MOST_NAMES:
            raise AuditError(f"{path} has more than {_MOST_NAMES:,} files: give an archive with fewer")
        self._archive, self._entries = archive, {one.filename: one for one in entries}

    def names(self) -> list[str]:
        """Names of the members, sorted."""
        return sorted(self._entries)

    def read(self, name: str) -> bytes:
        """The bytes of a member, at most one more than an image may have."""
        with self._archive.open(self._entries[name]) as member:
            return member.read(_MOST_BYTES + 1)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with open_zip(path) as archive:
            yield archive
    except DataError as error:
        raise AuditError(f"{path} is a damaged zip archive: pack it again, or give the folder") from error


def _of_files(path: Path, source: "_Folder | _Zip | _One", wanted: Wanted, most: int) -> Images:
    """Images of encoded files: decoded in the order of names; what is none is passed over and counted."""
    everything = source.names()
    names = [name for name in everything if Path(name).suffix.lower() in _SUFFIXES] or everything
    others = len(everything) - len(names)
    tried, notes = chosen(len(names), most), []
    skipped: Counter[str] = Counter()
    kept: list[str] = []
    shape = _shape(source, [names[at] for at in tried[:_LOOKED_AT]], wanted)
    _check_memory(path, len(tried), shape)
    pixels = np.empty((len(tried), *shape), np.float32)
    with Progress(len(tried), f"read {path.name}") as progress:
        for at in tried:
            image = _read(source, names[at], skipped)
            if image is not None:
                pixels[len(kept)] = resized(image, *shape)
                kept.append(names[at])
            progress.advance(1)
    if not kept:
        raise AuditError(
            f"{path} holds no image that can be read{_reasons(skipped)}: give a folder, a zip archive or an array of "
            "images, such as PNG or JPEG"
        )
    if len(tried) < len(names):
        notes.append(f"{len(tried)} of {len(names)} images are used, evenly chosen by name; --images changes it.")
    if others:
        notes.append(f"Files that are no images by their names: {others}.")
    if skipped:
        notes.append(f"Files that could not be used: {sum(skipped.values())}{_reasons(skipped)}.")
    return Images(tuple(kept), pixels[: len(kept)], tuple(notes))


_LOOKED_AT = 200
"""Images whose sizes are counted where none is asked for."""


def _reasons(skipped: Counter[str]) -> str:
    words = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    return f" ({words})" if words else ""


def chosen(number: int, most: int) -> list[int]:
    """At most ``most`` of so many rows, evenly spread."""
    return [at * number // most for at in range(most)] if number > most else list(range(number))


def _read(source: "_Folder | _Zip | _One", name: str, skipped: "Counter[str]") -> "Image | None":
    """A decoded image of mode L or RGB; None where it is none, with the reason counted."""
    from PIL.Image import DecompressionBombError

    try:
        data = source.read(name)
        if len(data) > _MOST_BYTES:
            skipped["too large"] += 1
            return None
        return decoded(data)
    except (_TooLargeError, DecompressionBombError):
        skipped["of too many pixels"] += 1
    except Exception:  # Pillow's are of any kind, and zipfile's of several
        skipped["damaged or no image"] += 1
    return None


class _TooLargeError(Exception):
    """An image has more pixels than :data:`_MOST_PIXELS`."""


def decoded(data: bytes) -> "Image":
    """An image's bytes as a picture of mode L or RGB: upright, on white, 8 bits.

    Raises:
        _TooLargeError: it has too many pixels.
        Exception: it is damaged or of another format; of any kind.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata, and Pillow's own limit, which is higher
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            opened.draft(None, (_DRAFTED, _DRAFTED))  # of JPEG: decodes fewer pixels
            if opened.width * opened.height > _MOST_PIXELS:
                raise _TooLargeError
            return _plain(ImageOps.exif_transpose(opened))


_DRAFTED = 2048
"""Pixels of a side that a large JPEG is decoded to, at least."""
_DEEP = re.compile(r"I;16.*|I|F")


def _plain(image: "Image") -> "Image":
    """A picture in L or RGB."""
    from PIL import Image

    if _DEEP.fullmatch(image.mode):
        return _of_deep(image)
    if image.mode in ("LA", "La") or (image.mode in ("L", "1") and "transparency" in image.info):
        grey = image.convert("LA")
        return Image.composite(grey.getchannel(0), Image.new("L", grey.size, 255), grey.getchannel(1))
    if image.mode in ("RGBA", "RGBa", "PA") or "transparency" in image.info:
        colour = image.convert("RGBA")
        return Image.composite(colour.convert("RGB"), Image.new("RGB", colour.size, "white"), colour.getchannel(3))
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _of_deep(image: "Image") -> "Image":
    """Grey of 16 or 32 bits, or floating-point numbers, in 8 bits: whole numbers above 255 are of 16 bits."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    largest = float(values.max(initial=0))
    whole = image.mode != "F"
    scale = 65535 if whole and (largest > 255 or image.mode.startswith("I;16")) else 255 if largest > 1 or whole else 1
    return Image.fromarray((values.clip(0, scale) * (255 / scale)).round().astype(np.uint8))


def resized(image: "Image", channels: int, height: int, width: int) -> NDArray[np.float32]:
    """A picture as an array (C, H, W) in [0, 1] of that size, bilinear with antialiasing, grey or in colour."""
    from PIL import Image

    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    values = np.asarray(image, dtype=np.float32).reshape(height, width, channels) / np.float32(255)
    return values.transpose(2, 0, 1)


def _shape(source: "_Folder | _Zip | _One", names: Sequence[str], wanted: Wanted) -> tuple[int, int, int]:
    """Channels, height and width: those that are wanted, else what most of some images have."""
    channels, height, width = wanted
    if channels is None or height is None or width is None:
        found = [(image.mode, image.size) for name in names if (image := _read(source, name, Counter())) is not None]
        if not found:
            return channels or 3, height or 1, width or 1  # none of them is an image; that is said later
        (own_width, own_height), _ = Counter(size for _, size in found).most_common(1)[0]
        channels = channels or (3 if any(mode == "RGB" for mode, _ in found) else 1)
        own_height, own_width = _capped(own_height, own_width, LARGEST_OWN)
        height, width = height or own_height, width or own_width
    return channels, height, width


def _capped(height: int, width: int, most: int) -> tuple[int, int]:
    """A size in the same proportions whose longer side has at most ``most`` pixels."""
    share = min(1.0, most / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def fitting(most: int, shape: tuple[int, int, int]) -> int:
    """How many images of a shape (channels, height, width) an audit has room for, at most ``most``."""
    return max(1, min(most, _ROOM // math.prod(shape)))


def _check_memory(path: Path | str, number: int, shape: tuple[int, int, int]) -> None:
    if (values := number * int(np.prod(shape))) > _MOST_VALUES:
        raise AuditError(
            f"{path}: {number} images of shape {shape} have {values:,} values, more than {_MOST_VALUES:,}: use fewer "
            "(--images)"
        )


def images_of_array(
    array: NDArray[np.generic],
    channels: int | None = None,
    height: int | None = None,
    width: int | None = None,
    most: int = MOST,
    path: Path | str = "the array",
    largest: int = LARGEST_OWN,
) -> Images:
    """As :func:`read_images`, of an array (n, H, W), (n, H, W, C) or (n, C, H, W); messages call it ``path``.

    Where no size is asked for, images have at most ``largest`` pixels a side.
    """
    wanted = channels, height, width
    if array.ndim not in (3, 4) or not array.size or array.dtype.kind not in "uifb":
        raise AuditError(
            f"{path} holds an array of shape {array.shape} and type {array.dtype}, expected images as numbers: "
            "(n, H, W), (n, H, W, C) or (n, C, H, W)"
        )
    array, axes = _rows(path, array)
    rows = chosen(len(array), most)
    scale = _scale(path, array, rows)
    notes = [f"The array is read as {axes}, its values as 0 to {scale:g}."]
    if len(rows) < len(array):
        notes.append(f"{len(rows)} of {len(array)} images are used, evenly chosen by row; --images changes it.")
    own_height, own_width = _capped(array.shape[1], array.shape[2], largest)
    shape = (wanted[0] or (1 if array.shape[3] == 1 else 3), wanted[1] or own_height, wanted[2] or own_width)
    _check_memory(path, len(rows), shape)
    pixels = np.empty((len(rows), *shape), np.float32)
    for at, row in enumerate(rows):
        image = _recoloured(array[row].astype(np.float32) / np.float32(scale), shape[0])
        pixels[at] = [_plane(image[:, :, channel], *shape[1:]) for channel in range(shape[0])]
    return Images(tuple(map(str, rows)), pixels.clip(0, 1, out=pixels), tuple(notes))


def _plane(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """One channel (H, W) in another size, bilinear with antialiasing."""
    from PIL import Image

    if values.shape == (height, width):
        return values
    sized = Image.fromarray(np.ascontiguousarray(values)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(sized, dtype=np.float32)


def _rows(path: Path | str, array: NDArray[np.generic]) -> tuple[NDArray[np.generic], str]:
    """The images as (n, H, W, C), and how the axes were read."""
    if array.ndim == 3:
        return array[..., None], "(n, height, width)"
    if array.shape[3] in (1, 3, 4) and array.shape[1] not in (1, 3):
        return array, "(n, height, width, channels)"
    if array.shape[1] in (1, 3):
        return array.transpose(0, 2, 3, 1), "(n, channels, height, width)"
    raise AuditError(f"{path} holds an array of shape {array.shape}: no axis is one of 1 or 3 channels")


def _scale(path: Path | str, array: NDArray[np.generic], rows: Sequence[int]) -> float:
    """The value of a white pixel: 1, 255 or 65535.

    Floating-point numbers are in [0, 1], or in [0, 255] where one is above 1. Whole numbers are in [0, 255]; in
    [0, 65535] where their type has 16 bits and one is above 255; in [0, 1] where none is above 1, unless their type has
    8 bits.
    """
    low, high = math.inf, -math.inf
    for row in rows:
        least, largest = float(array[row].min()), float(array[row].max())
        if not (math.isfinite(least) and math.isfinite(largest)):
            raise AuditError(f"{path} has pixels that are NaN or infinite, in row {row}: give finite numbers")
        low, high = min(low, least), max(high, largest)
    slack = 1e-6 if array.dtype.kind == "f" else 0.0
    if high <= 1 + slack and array.dtype != np.uint8:
        scale = 1.0
    else:
        scale = 65535.0 if array.dtype.kind in "iu" and array.dtype.itemsize == 2 and high > 255 else 255.0
    if low < -slack or high > scale * (1 + slack):
        raise AuditError(
            f"{path} has pixels from {low:g} to {high:g}, expected 0 to 1 or 0 to 255: scale them to [0, 1] "
            "before they are stored"
        )
    return scale


def _recoloured(image: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """An image (H, W, C) in 1 or 3 channels; of four the last is how opaque a pixel is, shown on white."""
    if image.shape[2] == 4:
        opaque = image[:, :, 3:]
        image = image[:, :, :3] * opaque + (1 - opaque)
    if image.shape[2] == channels:
        return image
    if channels == 1:
        grey: NDArray[np.float32] = (image @ np.asarray(_LUMA, np.float32))[:, :, None]
        return grey
    return np.repeat(image, 3, axis=2)


_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue, ITU-R 601-2, as Pillow does it."""
