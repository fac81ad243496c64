"""The factorised covariance of a prepared dataset's train and validation images."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vicious.data.prepared import PreparedDataset
from vicious.metrics.risk import Array, Covariance, fit_covariance
from vicious.system.errors import DataError
from vicious.system.progress import Progress

_CHUNK = 1000


def fit(data: PreparedDataset) -> Covariance:
    """Mean, covariance and label means of the train and validation images, in chunks: memory stays flat.

    Raises:
        DataError: there are fewer than two such images.
    """
    mean, covariance, images = moments(data)
    batches = ((chunk / 255.0, labels) for chunk, labels in _chunks(data))
    return fit_covariance(mean, covariance, images, batches, data.info.classes)


def moments(data: PreparedDataset) -> tuple[Array, Array, int]:
    """Mean (d,) and unbiased covariance (d, d) of these images, d = C * 32 * 32, pixels in [0, 1]; and their number.

    Two passes over the memory-mapped images: the sums of the first are whole numbers and so exact, and the second
    centres before it multiplies, so that nothing cancels.
    """
    n = data.info.n["train"] + data.info.n["validation"]
    if n < 2:
        raise DataError(f"{data.folder} has {n} train and validation images: a covariance needs at least two")
    mean = sum(chunk.sum(axis=0, dtype=np.int64) for chunk, _ in _chunks(data)) / (255 * n)
    covariance = np.zeros((mean.size, mean.size))
    with Progress(n, f"covariance of {data.info.title}") as progress:
        for chunk, _ in _chunks(data):
            centred = chunk / 255
            centred -= mean
            covariance += centred.T @ centred
            progress.advance(len(chunk))
    return mean, covariance / (n - 1), n


def _chunks(data: PreparedDataset) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer]]]:
    """Images as rows and their labels."""
    for split in ("train", "validation"):
        images, labels = data.images(split), data.labels(split)
        for start in range(0, len(labels), _CHUNK):
            chunk = images[start : start + _CHUNK]
            yield chunk.reshape(len(chunk), -1), labels[start : start + _CHUNK]
