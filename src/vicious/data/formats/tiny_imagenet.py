"""Tiny ImageNet: JPEG files in a zip archive; the official val set, which has labels, serves as test."""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vicious.data.formats.raw import RawDataset, RawSplit, damaged, decode_rgb, reading

_ROOT = "tiny-imagenet-200"
_TRAIN = re.compile(rf"{_ROOT}/train/([^/]+)/images/\1_(\d+)\.JPEG")
_WORDS = f"{_ROOT}/words.txt"
_VAL = re.compile(rf"{_ROOT}/val/images/[^/]+\.JPEG")


def open_tiny_imagenet(archive: Path, classes: int) -> RawDataset:
    """Open the archive. Class numbers are positions in wnids.txt, in train and val alike.

    Train images are ordered by class, then by the number in their name; val images as val_annotations.txt lists them.

    Raises:
        DataError: the archive or a list is missing or damaged, wnids.txt does not name ``classes`` classes, an image
            has no label, or a label no image.
    """
    with reading(archive), zipfile.ZipFile(archive) as file:
        wnids = _lines(file, archive, f"{_ROOT}/wnids.txt")
        annotations = _lines(file, archive, f"{_ROOT}/val/val_annotations.txt")
        members = file.namelist()
        # Only names of classes, for figures: a copy without them is still good
        words = _lines(file, archive, _WORDS) if _WORDS in members else []
    numbers = {wnid: number for number, wnid in enumerate(wnids)}
    if len(wnids) != classes or len(numbers) != classes:
        raise damaged(archive, f"wnids.txt names {len(numbers)} classes on {len(wnids)} lines, expected {classes}")
    train = _train_images(members, numbers, archive)
    val = _val_images(members, annotations, numbers, archive)
    names = dict(line.partition("\t")[::2] for line in words)
    return RawDataset(
        {"train": _split(archive, train), "test": _split(archive, val)},
        tuple(names.get(wnid, wnid).split(",")[0] for wnid in wnids),
    )


def _lines(file: zipfile.ZipFile, archive: Path, member: str) -> list[str]:
    try:
        data = file.read(member)
    except KeyError as error:
        raise damaged(archive, f"the member {member} is missing") from error
    return [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]


def _train_images(members: Sequence[str], numbers: dict[str, int], archive: Path) -> list[tuple[str, int]]:
    found = []
    for member in members:
        if match := _TRAIN.fullmatch(member):
            if match[1] not in numbers:
                raise damaged(archive, f"the class of {member} is not in wnids.txt")
            found.append((numbers[match[1]], int(match[2]), member))
    return [(member, label) for label, _, member in sorted(found)]


def _val_images(
    members: Sequence[str], annotations: Sequence[str], numbers: dict[str, int], archive: Path
) -> list[tuple[str, int]]:
    listed = []
    for line in annotations:
        name, wnid, *_ = [*line.split("\t"), ""]
        if wnid not in numbers:
            raise damaged(archive, f"val_annotations.txt gives {name} the class {wnid!r}, which is not in wnids.txt")
        listed.append((f"{_ROOT}/val/images/{name}", numbers[wnid]))
    images = {member for member in members if _VAL.fullmatch(member)}
    counts = Counter(member for member, _ in listed)
    if absent := sorted(set(counts) - images):
        raise damaged(archive, f"val_annotations.txt lists {absent[0]}, which is missing")
    if len(images) != len(listed):
        extra = sorted(images - set(counts)) or [name for name, times in counts.items() if times > 1]
        raise damaged(archive, f"{len(images)} val images but {len(listed)} labels; the first to differ is {extra[0]}")
    return listed


def _split(archive: Path, images: Sequence[tuple[str, int]]) -> RawSplit:
    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        with reading(archive), zipfile.ZipFile(archive) as file:
            for index in indices:
                member = images[index][0]
                with reading(archive, member):
                    data = file.read(member)
                yield decode_rgb(data, archive, member)

    return RawSplit(np.array([label for _, label in images], dtype=np.int64), read)
