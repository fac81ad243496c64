"""Tiny ImageNet: photographs of 200 kinds, 64x64, RGB: JPEG files in a zip archive.

The official val set, which has labels, serves as test. Size and MD5 sum are those of Stanford's CS231n.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vicious.data.facts import Dataset, hosted
from vicious.data.formats.damage import damaged

if TYPE_CHECKING:
    import zipfile

    import numpy as np

    from vicious.data.formats.raw import RawDataset
    from vicious.data.synthetic.plan import Plan

_ROOT, _SIDE = "tiny-imagenet-200", 64
_WNIDS, _WORDS, _ANNOTATIONS = (f"{_ROOT}/{name}" for name in ("wnids.txt", "words.txt", "val/val_annotations.txt"))
_TRAIN = re.compile(rf"{_ROOT}/train/([^/]+)/images/\1_(\d{{1,9}})\.JPEG")
_VAL = re.compile(rf"{_ROOT}/val/images/[^/]+\.JPEG")
_MOST_OF_A_LIST = 8 << 20  # bytes; the longest, words.txt, has 2.7 MB
_BOX = f"0\t0\t{_SIDE - 1}\t{_SIDE - 1}"


def _read(root: Path) -> "RawDataset":
    """Open the archive. Class numbers are positions in wnids.txt, in train and val alike.

    Train images are ordered by class, then by the number in their name; val images as val_annotations.txt lists them.

    Raises:
        DataError: the archive or a list is missing or damaged, wnids.txt does not name 200 classes, an image has no
            label, or a label no image.
    """
    import numpy as np

    from vicious.data.formats.images import image_split, open_zip
    from vicious.data.formats.leftovers import is_leftover
    from vicious.data.formats.raw import RawDataset

    archive, classes = root / DATASET.files[0].path, DATASET.classes
    with open_zip(archive) as file:
        wnids = _lines(file, archive, _WNIDS)
        annotations = _lines(file, archive, _ANNOTATIONS)
        members = [name for name in file.namelist() if not is_leftover(name)]
        # Only names of classes, for figures: a copy without them is still good
        words = _lines(file, archive, _WORDS) if _WORDS in members else []
    numbers = {wnid: number for number, wnid in enumerate(wnids)}
    if len(wnids) != classes or len(numbers) != classes:
        raise damaged(archive, f"wnids.txt names {len(numbers)} classes on {len(wnids)} lines, expected {classes}")
    images = {
        "train": _train_images(members, numbers, archive),
        "test": _val_images(members, annotations, numbers, archive),
    }
    names = dict(line.partition("\t")[::2] for line in words)
    splits = {
        split: image_split(
            DATASET, archive, [name for name, _ in listed], np.array([label for _, label in listed], np.int64)
        )
        for split, listed in images.items()
    }
    return RawDataset(splits, tuple(names.get(wnid, wnid).split(",")[0] for wnid in wnids))


def _lines(file: "zipfile.ZipFile", archive: Path, member: str) -> list[str]:
    from vicious.data.formats.images import read_member

    try:
        data = read_member(file, member, _MOST_OF_A_LIST)
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


def _draw(plan: "Plan") -> list[Path]:
    """Write the archive, one image in memory at a time."""
    from vicious.data.synthetic.archives import add_member, jpeg, zip_writer
    from vicious.data.synthetic.objects import draw_object, object_name

    classes, counts = DATASET.classes, plan.official_counts()
    # WordNet's noun numbers begin with 0 or 1: these can be taken for none of them
    wnids = [f"n9{(label * 1_234_577) % 10_000_000:07d}" for label in range(classes)]
    words = sorted(f"{wnid}\t{object_name(label, classes)}" for label, wnid in enumerate(wnids))

    def draw(label: int, rng: "np.random.Generator") -> "np.ndarray":
        return draw_object(label, classes, _SIDE, rng)

    path = plan.path(0)
    with zip_writer(path) as archive:
        add_member(archive, _WNIDS, _text(wnids))
        add_member(archive, _WORDS, _text(words))
        boxes: dict[str, list[str]] = {wnid: [] for wnid in wnids}
        labels = plan.labels("train", counts["train"])
        for label, image in zip(labels.tolist(), plan.images("train", labels, draw), strict=True):
            wnid = wnids[label]
            name = f"{wnid}_{len(boxes[wnid])}.JPEG"
            add_member(archive, f"{_ROOT}/train/{wnid}/images/{name}", jpeg(image))
            boxes[wnid].append(f"{name}\t{_BOX}")
        for wnid, lines in boxes.items():
            add_member(archive, f"{_ROOT}/train/{wnid}/{wnid}_boxes.txt", _text(lines))
        labels = plan.labels("test", counts["test"])
        for index, image in enumerate(plan.images("test", labels, draw)):
            add_member(archive, f"{_ROOT}/val/images/val_{index}.JPEG", jpeg(image))
        lines = [f"val_{index}.JPEG\t{wnids[label]}\t{_BOX}" for index, label in enumerate(labels.tolist())]
        add_member(archive, _ANNOTATIONS, _text(lines))
    return [path]


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")


DATASET = Dataset(
    name="tiny_imagenet",
    title="Tiny ImageNet",
    order=50,
    height=_SIDE,
    width=_SIDE,
    channels=3,
    classes=200,
    multilabel=False,
    sizes=(90_000, 10_000, 10_000),
    files=hosted(
        "",
        ("http://cs231n.stanford.edu/",),
        {"tiny-imagenet-200.zip": (248_100_043, "90528d7ca1a48142e341f4ef8d21d0de")},
    ),
    licence="ImageNet's terms: non-commercial research and education",
    homepage="http://cs231n.stanford.edu/",
    mean=(0.4805, 0.4484, 0.3978),
    std=(0.2541, 0.2456, 0.2604),
    read=_read,
    draw=_draw,
)
