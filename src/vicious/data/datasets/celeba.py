"""CelebA: aligned faces with 40 attributes, 178x218, RGB: JPEG files in a zip archive (or unpacked), and two lists.

Sizes and MD5 sums are those that torchvision's loader checks. The official split has a validation part of its own.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vicious.data.facts import Dataset, OfficialFile
from vicious.data.formats.damage import damaged, reading
from vicious.data.splits import SPLITS, Split
from vicious.system.files import open_regular, write_text

if TYPE_CHECKING:
    from vicious.data.formats.raw import RawDataset
    from vicious.data.synthetic.plan import Plan

ATTRIBUTES: tuple[str, ...] = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)
"""The 40 attributes, in the order of list_attr_celeba.txt."""

ATTRIBUTE_SETS: dict[str, tuple[int, ...]] = {
    "k1": (31,),
    "k2": (8, 31),
    "k3": (8, 20, 31),
    "k4": (2, 8, 20, 31),
    "k5": (2, 8, 19, 20, 31),
    "k6": (2, 8, 18, 19, 20, 31),
    "k7": (2, 8, 18, 20, 31, 36, 39),
    "k8": (2, 8, 18, 20, 31, 33, 36, 39),
    "k9": (2, 8, 18, 19, 20, 31, 33, 36, 39),
    "k10": (2, 8, 11, 18, 19, 20, 31, 33, 36, 39),
    "k15": (1, 2, 6, 7, 8, 18, 19, 20, 21, 25, 27, 31, 33, 36, 39),
    "k20": (1, 2, 3, 6, 7, 8, 11, 18, 19, 20, 21, 24, 25, 27, 31, 32, 33, 34, 36, 39),
    "k30": (
        *(0, 1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 15, 18, 19, 20, 21, 23, 24, 25, 27, 28, 31, 32, 33, 34, 36, 37, 38),
        39,
    ),
    "k40": tuple(range(40)),
}
"""Attribute sets of growing size K that the original study lists: columns of list_attr_celeba.txt, from 0."""

_IMAGES = "img_align_celeba"
_ATTRIBUTES, _PARTITION = "celeba/list_attr_celeba.txt", "celeba/list_eval_partition.txt"
_VALUES = {"-1": 0, "1": 1}
_LONGEST_LINE = 1000


def _read(root: Path) -> "RawDataset":
    """Open the faces in the zip archive; raises as :func:`_open`."""
    return _open(root, root / DATASET.files[0].path)


def _read_unpacked(root: Path) -> "RawDataset":
    """Open the faces in the unpacked folder; raises as :func:`_open`."""
    return _open(root, root / DATASET.files[0].unpacked)


def _open(root: Path, source: Path) -> "RawDataset":
    """Open the lists, and the faces in a zip archive or a folder.

    Raises:
        DataError: a list or the images are missing or damaged, the attributes are not CelebA's, the two lists do
            not name the same images, or images and list entries differ.
    """
    import numpy as np

    from vicious.data.formats.images import image_split, list_images
    from vicious.data.formats.raw import RawDataset

    _, attributes, partition = (root / file.path for file in DATASET.files)
    names, rows = _read_attributes(attributes)
    numbers = np.array(_read_partition(partition, names, attributes))
    prefix = f"{_IMAGES}/"
    # Membership in this listing is also what keeps a name such as ../x from being opened.
    present = list_images(source, prefix)
    if absent := next((name for name in names if name not in present), None):
        raise damaged(source, f"the image {absent}, which the lists name, is missing")
    if extra := sorted(present.difference(names)):
        raise damaged(source, f"{len(present)} images but {len(names)} entries in the lists; {extra[0]} has none")
    labels = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, len(ATTRIBUTES))
    chosen = {split: np.flatnonzero(numbers == number) for number, split in enumerate(SPLITS)}
    return RawDataset(
        {
            split: image_split(DATASET, source, [names[index] for index in indices], labels[indices], prefix)
            for split, indices in chosen.items()
        },
        ATTRIBUTES,
    )


def _read_attributes(path: Path) -> tuple[list[str], list[bytes]]:
    """Names of the images in order, and the attributes of each as 40 bytes, zeros and ones."""
    with reading(path):
        lines = _lines(path)
        count, header = next(lines, "").strip(), tuple(next(lines, "").split())
        if header != ATTRIBUTES:
            raise damaged(path, "its second line does not name CelebA's 40 attributes in their order")
        names, rows = [], []
        for name, *values in (line.split() for line in lines if line.strip()):
            if len(values) != len(ATTRIBUTES) or not set(values) <= _VALUES.keys():
                raise damaged(path, f"the entry of {name} is not {len(ATTRIBUTES)} values of -1 or 1")
            names.append(name)
            rows.append(bytes(_VALUES[value] for value in values))
    if count != str(len(rows)):
        raise damaged(path, f"its first line promises {count or 'no number of'} images, {len(rows)} follow")
    if len(set(names)) != len(names):
        raise damaged(path, "it lists an image twice")
    return names, rows


def _read_partition(path: Path, names: Sequence[str], attributes: Path) -> list[int]:
    """Split numbers: 0 train, 1 validation, 2 test, in the order of ``names``."""
    with reading(path):
        rows = [line.split() for line in _lines(path) if line.strip()]
    for row in rows:
        if len(row) != 2 or row[1] not in ("0", "1", "2"):
            raise damaged(path, f"the entry of {row[0]} is not a name and 0, 1 or 2")
    table = {name: int(number) for name, number in rows}
    if len(table) != len(rows) or len(table) != len(names):
        raise damaged(path, f"it has {len(rows)} entries ({len(table)} different), {attributes.name} has {len(names)}")
    if absent := next((name for name in names if name not in table), None):
        raise damaged(path, f"{absent}, an image of {attributes.name}, is not in it")
    return [table[name] for name in names]


def _lines(path: Path) -> Iterator[str]:
    """The lines of a list, of which the official ones have one for each image, and two more."""
    most = sum(DATASET.sizes) + 2
    with open_regular(path) as file:
        for _ in range(most):
            line = file.readline(_LONGEST_LINE)
            if not line:
                return
            if len(line) == _LONGEST_LINE:
                raise damaged(path, f"it has a line of {_LONGEST_LINE} bytes or more")
            yield line.decode("utf-8", "replace")
        if file.read(_LONGEST_LINE).strip():
            raise damaged(path, f"it has more than {most} lines")


def _draw(plan: "Plan") -> list[Path]:
    """Write the archive and the lists of attributes and of splits; one image in memory at a time."""
    from vicious.data.synthetic.archives import add_member, jpeg, zip_writer
    from vicious.data.synthetic.attributes import sample_attributes
    from vicious.data.synthetic.faces import draw_face

    archive_path, attribute_path, partition_path = (plan.path(number) for number in range(3))
    rows = [f"{sum(plan.counts)}", " ".join(ATTRIBUTES) + " "]
    with zip_writer(archive_path) as archive:
        for name, split, index in _faces(plan):
            has = sample_attributes(plan.generator(split, "labels", index))
            add_member(archive, f"{_IMAGES}/{name}", jpeg(draw_face(has, plan.generator(split, "image", index))))
            rows.append(f"{name} {' '.join(' 1' if has[attribute] else '-1' for attribute in ATTRIBUTES)}")
            plan.progress.advance(1)
    write_text(attribute_path, "".join(f"{row}\n" for row in rows))
    write_text(partition_path, "".join(f"{name} {SPLITS.index(split)}\n" for name, split, _ in _faces(plan)))
    return [archive_path, attribute_path, partition_path]


def _faces(plan: "Plan") -> list[tuple[str, Split, int]]:
    """File name, split and index within the split, in the order of the files."""
    places = [(split, index) for split, count in zip(SPLITS, plan.counts, strict=True) for index in range(count)]
    return [(f"{number:06d}.jpg", *place) for number, place in enumerate(places, 1)]


def _drive(file_id: str) -> tuple[str, ...]:
    return (f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t",)


DATASET = Dataset(
    name="celeba",
    title="CelebA",
    order=60,
    height=218,
    width=178,
    channels=3,
    classes=40,
    multilabel=True,
    sizes=(162_770, 19_867, 19_962),
    files=(
        OfficialFile(
            f"celeba/{_IMAGES}.zip",
            1_443_490_838,
            "00d2c5bc6d35e252742224ab0c1e8fcb",
            _drive("0B7EVK8r0v71pZjFTYXZWM3FlRnM"),
            unpacked=f"celeba/{_IMAGES}",
            listing=_PARTITION,
        ),
        OfficialFile(
            _ATTRIBUTES, 26_721_026, "75e246fa4810816ffd6ee81facbd244c", _drive("0B7EVK8r0v71pblRyaVFSWGxPY0U")
        ),
        OfficialFile(_PARTITION, 2_836_386, "d32c9cbf5e040fd4025c592c306e6668", _drive("0B7EVK8r0v71pY0NSMzRuSXJEVkk")),
    ),
    licence="non-commercial research only (Multimedia Laboratory, The Chinese University of Hong Kong)",
    homepage="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    mean=(0.5063, 0.4258, 0.3832),
    std=(0.2969, 0.2768, 0.2767),
    read=_read,
    read_unpacked=_read_unpacked,
    draw=_draw,
    attribute_sets=ATTRIBUTE_SETS,
)
