"""Tiny ImageNet as a zip archive of JPEG files; the official val set serves as test."""

from pathlib import Path

import numpy as np

from vicious.data.synthetic.archives import add_member, jpeg, zip_writer
from vicious.data.synthetic.objects import draw_object, object_name
from vicious.data.synthetic.plan import Plan

_ROOT = "tiny-imagenet-200"
_SIDE = 64
_WHOLE = f"0\t0\t{_SIDE - 1}\t{_SIDE - 1}"


def write_tiny_imagenet(plan: Plan) -> list[Path]:
    """Write the archive, one image in memory at a time."""
    classes, counts = plan.entry.classes, plan.official_counts()
    # WordNet's noun numbers begin with 0 or 1: these can be taken for none of them
    wnids = [f"n9{(label * 1_234_577) % 10_000_000:07d}" for label in range(classes)]
    words = sorted(f"{wnid}\t{object_name(label, classes)}" for label, wnid in enumerate(wnids))

    def draw(label: int, rng: np.random.Generator) -> np.ndarray:
        return draw_object(label, classes, _SIDE, rng)

    path = plan.path(0)
    with zip_writer(path) as archive:
        add_member(archive, f"{_ROOT}/wnids.txt", _text(wnids))
        add_member(archive, f"{_ROOT}/words.txt", _text(words))
        boxes: dict[str, list[str]] = {wnid: [] for wnid in wnids}
        labels = plan.labels("train", counts["train"])
        for label, image in zip(labels.tolist(), plan.images("train", labels, draw), strict=True):
            wnid = wnids[label]
            name = f"{wnid}_{len(boxes[wnid])}.JPEG"
            add_member(archive, f"{_ROOT}/train/{wnid}/images/{name}", jpeg(image))
            boxes[wnid].append(f"{name}\t{_WHOLE}")
        for wnid, lines in boxes.items():
            add_member(archive, f"{_ROOT}/train/{wnid}/{wnid}_boxes.txt", _text(lines))
        labels = plan.labels("test", counts["test"])
        for index, image in enumerate(plan.images("test", labels, draw)):
            add_member(archive, f"{_ROOT}/val/images/val_{index}.JPEG", jpeg(image))
        lines = [f"val_{index}.JPEG\t{wnids[label]}\t{_WHOLE}" for index, label in enumerate(labels.tolist())]
        add_member(archive, f"{_ROOT}/val/val_annotations.txt", _text(lines))
    return [path]


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")
