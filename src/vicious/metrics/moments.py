"""The factorised covariance of a prepared dataset's train and validation images."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vicious.data.prepare import fit_moments
from vicious.data.prepared import PreparedDataset
from vicious.metrics.risk import Array, Covariance, fit_covariance

_CHUNK = 1000


def fit(data: PreparedDataset) -> Covariance:
    """Mean, covariance and label means of the train and validation images, in chunks: memory stays flat."""
    mean, covariance, images = fit_moments(data.folder)
    return fit_covariance(mean, covariance, images, _batches(data), data.info.classes)


def _batches(data: PreparedDataset) -> Iterator[tuple[Array, NDArray[np.integer]]]:
    for split in ("train", "validation"):
        images, labels = data.images(split), data.labels(split)
        for start in range(0, len(labels), _CHUNK):
            chunk = images[start : start + _CHUNK]
            yield chunk.reshape(len(chunk), -1) / 255.0, np.asarray(labels[start : start + _CHUNK])
