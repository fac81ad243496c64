"""Stand-ins as gzipped IDX files, the format of MNIST."""

import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from vicious.data.synthetic.archives import gzip_writer
from vicious.data.synthetic.plan import Plan

_SIDE = 28
_UNSIGNED_BYTE = 8


def write_idx(plan: Plan, draw: Callable[[int, np.random.Generator], np.ndarray]) -> list[Path]:
    """Write images and labels of train (validation included) and test; ``draw`` gives an image, uint8 (28, 28)."""
    written = []
    for number, (split, count) in enumerate(plan.official_counts().items()):
        labels = plan.labels(split, count)
        images, names = plan.path(2 * number), plan.path(2 * number + 1)
        _write(images, (count, _SIDE, _SIDE), (image.tobytes() for image in plan.images(split, labels, draw)))
        _write(names, (count,), [labels.astype(np.uint8).tobytes()])
        written += [images, names]
    return written


def _write(path: Path, shape: Sequence[int], chunks: Iterable[bytes]) -> None:
    """One IDX file: two zero bytes, type, number of dimensions, the dimensions (big-endian), then the values."""
    with gzip_writer(path) as file:
        file.write(struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTE, len(shape), *shape))
        for chunk in chunks:
            file.write(chunk)
