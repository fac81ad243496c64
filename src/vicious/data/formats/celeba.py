"""CelebA: aligned JPEG faces in a zip archive (or unpacked), with attributes and the official split in text files."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vicious.data.catalog import CELEBA_ATTRIBUTES
from vicious.data.formats.raw import RawDataset, RawSplit, damaged, decode_rgb, reading
from vicious.data.splits import SPLITS

FOLDER = "img_align_celeba"
ARCHIVE = f"{FOLDER}.zip"
_VALUES = {"-1": 0, "1": 1}


def open_celeba(folder: Path) -> RawDataset:
    """Open the faces in ``folder``: the zip archive or, where that is absent, the unpacked img_align_celeba.

    Raises:
        DataError: a list or the images are missing or damaged, the attributes are not CelebA's, the two lists do
            not name the same images, or images and list entries differ.
    """
    attributes, partition = folder / "list_attr_celeba.txt", folder / "list_eval_partition.txt"
    names, labels = _read_attributes(attributes)
    numbers = _read_partition(partition, names, attributes)
    archive = folder / ARCHIVE
    source = archive if archive.exists() or not (folder / FOLDER).is_dir() else folder / FOLDER
    _check_images(source, names)
    return RawDataset(
        {
            split: _split(source, [names[index] for index in chosen], labels[chosen])
            for split, chosen in ((split, np.flatnonzero(numbers == number)) for number, split in enumerate(SPLITS))
        },
        CELEBA_ATTRIBUTES,
    )


def _read_attributes(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the images in order, and their attributes as (N, 40) uint8 zeros and ones."""
    with reading(path), path.open(encoding="utf-8", errors="replace") as file:
        count, header = file.readline().strip(), tuple(file.readline().split())
        if header != CELEBA_ATTRIBUTES:
            raise damaged(path, "its second line does not name CelebA's 40 attributes in their order")
        rows = [_attribute_row(line.split(), path) for line in file if line.strip()]
    if count != str(len(rows)):
        raise damaged(path, f"its first line promises {count or 'no number of'} images, {len(rows)} follow")
    if len({name for name, _ in rows}) != len(rows):
        raise damaged(path, "it lists an image twice")
    labels = np.frombuffer(b"".join(values for _, values in rows), np.uint8).reshape(-1, len(CELEBA_ATTRIBUTES))
    return [name for name, _ in rows], labels


def _attribute_row(parts: list[str], path: Path) -> tuple[str, bytes]:
    name, values = parts[0], parts[1:]
    if len(values) != len(CELEBA_ATTRIBUTES) or not set(values) <= _VALUES.keys():
        raise damaged(path, f"the entry of {name} is not {len(CELEBA_ATTRIBUTES)} values of -1 or 1")
    return name, bytes(_VALUES[value] for value in values)


def _read_partition(path: Path, names: Sequence[str], attributes: Path) -> np.ndarray:
    """Split numbers (N,): 0 train, 1 validation, 2 test, in the order of ``names``."""
    with reading(path), path.open(encoding="utf-8", errors="replace") as file:
        rows = [line.split() for line in file if line.strip()]
    for row in rows:
        if len(row) != 2 or row[1] not in ("0", "1", "2"):
            raise damaged(path, f"the entry of {row[0]} is not a name and 0, 1 or 2")
    table = {name: int(number) for name, number in rows}
    if len(table) != len(rows) or len(table) != len(names):
        raise damaged(path, f"it has {len(rows)} entries ({len(table)} different), {attributes.name} has {len(names)}")
    if absent := next((name for name in names if name not in table), None):
        raise damaged(path, f"{absent}, an image of {attributes.name}, is not in it")
    return np.array([table[name] for name in names], dtype=np.int64)


def _check_images(source: Path, names: Sequence[str]) -> None:
    with reading(source):
        if source.is_dir():
            present = {path.name for path in source.iterdir() if path.suffix == ".jpg"}
        else:
            with zipfile.ZipFile(source) as file:
                prefix = f"{FOLDER}/"
                present = {
                    name.removeprefix(prefix)
                    for name in file.namelist()
                    if name.startswith(prefix) and name.endswith(".jpg")
                }
    # Membership in this listing is also what keeps a name such as ../x from being opened.
    if absent := next((name for name in names if name not in present), None):
        raise damaged(source, f"the image {absent}, which the lists name, is missing")
    if len(present) != len(names):
        extra = min(present - set(names))
        raise damaged(source, f"{len(present)} images but {len(names)} entries in the lists; {extra} has no entry")


def _split(source: Path, names: Sequence[str], labels: np.ndarray) -> RawSplit:
    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        with _opened(source) as load:
            for index in indices:
                name = names[index]
                with reading(source, name):
                    data = load(name)
                yield decode_rgb(data, source, name)

    return RawSplit(labels, read)


@contextmanager
def _opened(source: Path) -> Iterator[Callable[[str], bytes]]:
    """A function from an image's name to its bytes, for the archive or the unpacked folder."""
    if source.is_dir():
        yield lambda name: (source / name).read_bytes()
    else:
        with reading(source), zipfile.ZipFile(source) as file:
            yield lambda name: file.read(f"{FOLDER}/{name}")
