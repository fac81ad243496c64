"""What a decoder reconstructs of images that it has not seen, from their outputs.

Half of the images teach the decoder and the other half is reconstructed, then the other way round: so each image has a
reconstruction, by a decoder that never saw it. The decoder is kernel ridge regression on the outputs and the predicted
label. Leaving out one image at a time chooses kernel, width and penalty within the half that teaches. It is quick, and
strong with few images. An attacker with more images reads more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vicious.defense.beyond_label import LABEL
from vicious.defense.detector import Array, predicted, standardised
from vicious.system.errors import MetricError
from vicious.system.randomness import derive_seed

FOLDS = 2
WIDTHS = (0.25, 1.0, 4.0)
"""Of Gaussian kernels, squared, times the median squared distance; beside them a linear kernel is tried."""
PENALTIES = (1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0)
"""Times the mean diagonal of the kernel."""


@dataclass(frozen=True)
class Decoded:
    """Reconstructions of images by decoders that did not see them. Shapes: (n, d), in [0, 1].

    Attributes:
        images: from the outputs.
        of_label: the mean image of the predicted label, of the half that teaches.
        mean: the mean image of that half.
        fold: (n,), which half an image is in.
    """

    images: Array
    of_label: Array
    mean: Array
    fold: NDArray[np.int64]


def decode(logits: Array, pixels: Array, multilabel: bool, seed: int) -> Decoded:
    """Reconstruct images (n, d) in [0, 1] from outputs (n, K).

    Raises:
        MetricError: fewer than four images.
    """
    if len(pixels) < 2 * FOLDS:
        raise MetricError(f"a decoder needs at least {2 * FOLDS} images, got {len(pixels)}")
    order = np.random.default_rng(derive_seed(seed, "halves")).permutation(len(pixels))
    fold = np.empty(len(pixels), np.int64)
    fold[order] = np.arange(len(pixels)) % FOLDS
    images, of_label, mean = (np.empty_like(pixels) for _ in range(3))
    label = predicted(logits, multilabel)
    scaled = standardised(logits)
    for held in range(FOLDS):
        rest, asked = fold != held, fold == held
        mean[asked] = pixels[rest].mean(0)
        known, other = ((scaled[one], label[one]) for one in (rest, asked))
        guessed, read = _reconstructed(*known, pixels[rest] - pixels[rest].mean(0), *other)
        of_label[asked], images[asked] = (np.clip(mean[asked] + one, 0, 1) for one in (guessed, read))
    return Decoded(images, of_label, mean, fold)


def _reconstructed(known: Array, label: Array, images: Array, asked: Array, other_label: Array) -> tuple[Array, Array]:
    """Images (h, d) beyond the mean, from the label alone and from the outputs, too; of those (m, d) that are known.

    The kernel of labels is added to each of the outputs. Where none helps images that are left out, the label counts
    alone.
    """
    products = images @ images.T
    of_label, other = LABEL * label @ label.T, LABEL * other_label @ label.T
    chosen = _Fit(of_label, other, products)
    alone = chosen.read(images)
    for own, cross in _kernels(known, asked):
        size = float(np.trace(own)) / len(own)
        for penalty in PENALTIES if size > 0 else ():
            fit = _Fit(own / (penalty * size) + of_label, cross / (penalty * size) + other, products)
            chosen = min(chosen, fit, key=lambda one: one.error)
    return alone, chosen.read(images)


class _Fit:
    """Kernel ridge regression with a penalty of 1.

    Args:
        kernel, cross: (m, m) among images that are known, (h, m) from others to them.
        products: (m, m), inner products of those that are known.

    Attributes:
        error: sum of squared errors of known images, each left out.
    """

    def __init__(self, kernel: Array, cross: Array, products: Array) -> None:
        inverse = np.linalg.inv(kernel + np.eye(len(kernel)))
        left_out = inverse / np.diag(inverse)[:, None]
        self.error = float((left_out @ products * left_out).sum())
        self._weights = cross @ inverse

    def read(self, images: Array) -> Array:
        """Of the others, (h, d)."""
        return np.asarray(self._weights @ images)


def _kernels(known: Array, asked: Array) -> list[tuple[Array, Array]]:
    """Each kernel among known outputs (m, m), and from others to them (h, m)."""
    own, other = (_squares(one, known) for one in (known, asked))
    width = float(np.median(own[np.triu_indices(len(own), 1)]))
    found = [(known @ known.T, asked @ known.T)]
    if width > 0:
        found += [(np.exp(-own / (width * times)), np.exp(-other / (width * times))) for times in WIDTHS]
    return found


def _squares(one: Array, other: Array) -> Array:
    """Squared distances (m, K), (h, K) -> (m, h)."""
    found = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.asarray(np.maximum(found, 0))
