"""Stand-ins as a gzipped tar archive of pickled batches, the format of CIFAR."""

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vicious.data.synthetic.archives import ChunkReader, gzip_writer
from vicious.data.synthetic.objects import draw_object
from vicious.data.synthetic.pickles import Value, array_head, array_tail, pickled, pickled_head, pickled_tail
from vicious.data.synthetic.plan import Plan

_SIDE = 32
PIXELS = 3 * _SIDE * _SIDE


@contextmanager
def cifar_writer(path: Path) -> Iterator[tarfile.TarFile]:
    """Write an archive; it appears when complete."""
    with gzip_writer(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        yield archive


def add_meta(archive: tarfile.TarFile, member: str, content: Mapping[str, Value]) -> None:
    """Add a pickled dictionary."""
    meta = pickled(content)
    _add(archive, member, len(meta), [meta])


def add_batch(
    archive: tarfile.TarFile,
    member: str,
    head: Mapping[str, Value],
    plan: Plan,
    split: str,
    labels: np.ndarray,
    start: int = 0,
) -> None:
    """Add one batch; its length is known before its images are drawn, so that they can be streamed.

    Args:
        head: what the batch holds before its file names and images.
        start: the split's index of the first image.
    """
    indices = range(start, start + len(labels))
    files: list[Value] = [f"synthetic_{split}_{index:06d}.png" for index in indices]
    before = pickled_head({**head, "filenames": files}, "data") + array_head(len(labels), PIXELS)
    after = array_tail() + pickled_tail()

    def draw(label: int, rng: np.random.Generator) -> np.ndarray:
        return draw_object(label, plan.entry.classes, _SIDE, rng).transpose(2, 0, 1)  # the format is channels first

    def chunks() -> Iterator[bytes]:
        yield before
        for image in plan.images(split, labels, draw, start):
            yield image.tobytes()
        yield after

    _add(archive, member, len(before) + len(labels) * PIXELS + len(after), chunks())


def _add(archive: tarfile.TarFile, member: str, size: int, chunks: Iterator[bytes] | list[bytes]) -> None:
    info = tarfile.TarInfo(member)  # time, user and group are 0 unless set
    info.size = size
    archive.addfile(info, ChunkReader(chunks))
