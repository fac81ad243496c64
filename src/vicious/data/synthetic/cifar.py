"""CIFAR-10 and CIFAR-100 as a gzipped tar archive of pickled batches."""

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from vicious.data.synthetic.archives import ChunkReader, gzip_writer
from vicious.data.synthetic.objects import coarse_label, draw_object, object_name, shape_names
from vicious.data.synthetic.pickles import Value, array_head, array_tail, pickled, pickled_head, pickled_tail
from vicious.data.synthetic.plan import Plan

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_BATCHES = 5


def write_cifar(plan: Plan) -> list[Path]:
    """Write the archive, one image in memory at a time."""
    path = plan.path(0)
    with gzip_writer(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        if plan.entry.name == "cifar10":
            _add_cifar10(archive, plan)
        else:
            _add_cifar100(archive, plan)
    return [path]


def _add_cifar10(archive: tarfile.TarFile, plan: Plan) -> None:
    folder, counts = "cifar-10-batches-py", plan.official_counts()
    names: list[Value] = [object_name(label, 10) for label in range(10)]
    largest = -(-counts["train"] // _BATCHES)
    meta = pickled({"num_cases_per_batch": largest, "label_names": names, "num_vis": _PIXELS})
    _add(archive, f"{folder}/batches.meta", len(meta), [meta])
    labels, start = plan.labels("train", counts["train"]), 0
    for number, part in enumerate(np.array_split(labels, _BATCHES), 1):
        head: dict[str, Value] = {"batch_label": f"training batch {number} of {_BATCHES}", "labels": part.tolist()}
        _add_batch(archive, f"{folder}/data_batch_{number}", head, plan, "train", part, start)
        start += len(part)
    labels = plan.labels("test", counts["test"])
    head = {"batch_label": "testing batch 1 of 1", "labels": labels.tolist()}
    _add_batch(archive, f"{folder}/test_batch", head, plan, "test", labels, 0)


def _add_cifar100(archive: tarfile.TarFile, plan: Plan) -> None:
    folder = "cifar-100-python"
    fine: list[Value] = [object_name(label, 100) for label in range(100)]
    meta = pickled({"fine_label_names": fine, "coarse_label_names": list(shape_names())})
    _add(archive, f"{folder}/meta", len(meta), [meta])
    titles = {"train": "training batch 1 of 1", "test": "testing batch 1 of 1"}
    for split, count in plan.official_counts().items():
        labels = plan.labels(split, count)
        coarse: list[Value] = [coarse_label(label) for label in labels.tolist()]
        head: dict[str, Value] = {
            "batch_label": titles[split],
            "fine_labels": labels.tolist(),
            "coarse_labels": coarse,
        }
        _add_batch(archive, f"{folder}/{split}", head, plan, split, labels, 0)


def _add_batch(
    archive: tarfile.TarFile,
    member: str,
    head: Mapping[str, Value],
    plan: Plan,
    split: str,
    labels: np.ndarray,
    start: int,
) -> None:
    """One batch; its length is known before its images are drawn, so that they can be streamed."""
    indices = range(start, start + len(labels))
    files: list[Value] = [f"synthetic_{split}_{index:06d}.png" for index in indices]
    before = pickled_head({**head, "filenames": files}, "data") + array_head(len(labels), _PIXELS)
    after = array_tail() + pickled_tail()

    def draw(label: int, rng: np.random.Generator) -> np.ndarray:
        return draw_object(label, plan.entry.classes, _SIDE, rng).transpose(2, 0, 1)  # the format is channels first

    def chunks() -> Iterator[bytes]:
        yield before
        for image in plan.images(split, labels, draw, start):
            yield image.tobytes()
        yield after

    _add(archive, member, len(before) + len(labels) * _PIXELS + len(after), chunks())


def _add(archive: tarfile.TarFile, member: str, size: int, chunks: Iterator[bytes] | list[bytes]) -> None:
    info = tarfile.TarInfo(member)  # time, user and group are 0 unless set
    info.size = size
    archive.addfile(info, ChunkReader(chunks))
