"""What kernel ridge regression reads of images from outputs, beyond the predicted label.

The share explained is 1 - SS(outputs and label) / SS(label). Both are sums of squared errors along the leading
principal components of what the label leaves of the images, each image judged by a fit to all others, in the closed
form for leaving one out: Allen, "The relationship between variable selection and data augmentation and a method for
prediction" (Technometrics 16, 1974).

There is one share for each kernel and penalty, and the largest counts. A linear kernel finds what simple decoders read,
a Gaussian one what is bent. Multiplied by "same label or not", both find codes that differ from label to label. Both
read the outputs as they are, and the shape of their gaps (:mod:`vicious.defense.gaps`), which noise on the largest
output or a shift of all does not change. The label itself is a kernel that is added to each, with hardly a penalty.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vicious.defense.decodability import COMPONENTS
from vicious.defense.detector import Array, standardised
from vicious.defense.gaps import gaps

PENALTIES = (0.03, 0.3, 3.0)
"""Of the ridge regressions, times the mean diagonal of the kernel."""
LABEL = 10.0
"""Images of a label that the overall mean yields to: it counts as a tenth of an image."""


@dataclass(frozen=True)
class Likeness:
    """Inner products (n, n) of centred images, along the leading principal components of what labels leave of them.

    Attributes:
        products: symmetric.
        unexplained: sum of squared errors of the label alone, each image left out.
        by_image: (n,), the same of each image.
    """

    products: Array
    unexplained: float
    by_image: Array

    def reordered(self, order: NDArray[np.int64]) -> Array:
        """The products of images in another order (n,), which leaves each label its images."""
        return self.products[np.ix_(order, order)]


def groups(label: Array) -> NDArray[np.int64]:
    """A number for each different row (n, K) of predicted classes or attributes, (n,)."""
    return np.unique(label, axis=0, return_inverse=True)[1].reshape(-1)


def likeness(pixels: Array, label: Array) -> Likeness:
    """Of images (n, d) with predicted labels (n, K)."""
    centred = pixels - pixels.mean(0)
    rest = _beyond(centred, label)
    values, vectors = np.linalg.eigh(rest @ rest.T)
    kept = values > 1e-12 * max(float((pixels**2).sum()), 1e-300)
    directions = vectors[:, kept][:, -COMPONENTS:] / np.sqrt(values[kept][-COMPONENTS:])
    codes = centred @ rest.T @ directions
    products = np.asarray(codes @ codes.T)
    errors = _squared(_left_out(LABEL * _of_label(label), 1.0), products)
    return Likeness(products, float(errors.sum()), errors)


def left_out(logits: Array, label: Array) -> Array:
    """For each kernel and penalty the matrix (n, n) that maps images to their errors where each is left out, (m, n, n).

    With the smoother H = K (K + penalty)^-1 of a kernel K these errors are (1 - H) y / (1 - h), h the diagonal of H.
    m is 0 where all outputs are the same beyond the label.
    """
    plain = standardised(_beyond(standardised(logits), label), 1.0)
    views = (plain, gaps(logits, logits, not _classes(label))[0])
    alike = groups(label)[:, None] == groups(label)
    simple = [kernel for view in views for kernel in (view @ view.T, _gaussian(view))]
    found = []
    for kernel in (*simple, *(one * alike for one in simple)):
        size = float(np.trace(kernel)) / len(kernel)
        for penalty in PENALTIES if size > 0 else ():
            scaled = kernel / (penalty * size)
            found.append(_left_out(scaled + LABEL * _of_label(label), 1.0))
    return np.stack(found) if found else np.zeros((0, len(logits), len(logits)))


def forms(rest: Array) -> Array:
    """The quadratic forms (m, n * n) of the squared errors of :func:`left_out`, for :func:`explained`."""
    return np.stack([(one.T @ one).reshape(-1) for one in rest])


def explained(tried: Array, products: Array, unexplained: float) -> float:
    """The largest share explained of all kernels and penalties, below 1; 0 or less: nothing.

    Args:
        tried: (m, n * n) of :func:`forms`.
        products: (n, n), of the images.
        unexplained: of :class:`Likeness`; above 0.
    """
    return float(1 - (tried @ products.reshape(-1)).min() / unexplained)


def explained_by_image(rest: Array, of: Likeness) -> Array:
    """What each image adds to the largest share explained, (n,); their sum is :func:`explained`.

    Args:
        rest: (m, n, n) of :func:`left_out`; with m = 0 all shares are 0.
        of: the images, which vary.
    """
    found = [(of.by_image - _squared(one, of.products)) / of.unexplained for one in rest]
    return max(found, key=lambda one: float(one.sum())) if found else np.zeros_like(of.by_image)


def _squared(rest: Array, products: Array) -> Array:
    """Squared errors (n,) of images with these inner products."""
    return np.asarray((rest @ products * rest).sum(1))


def _of_label(label: Array) -> Array:
    """The kernel of labels, with a diagonal of 1 on average."""
    products = label @ label.T
    return np.asarray(products / max(float(np.trace(products)) / len(products), 1e-12))


def _beyond(values: Array, label: Array) -> Array:
    """Rows (n, d) minus the mean of those of their class, or minus what a ridge regression on attributes explains."""
    if _classes(label):
        return np.asarray(values - label @ ((label.T @ values) / np.maximum(label.sum(0), 1)[:, None]))
    kernel = LABEL * _of_label(label)
    return np.asarray(np.linalg.solve(kernel + np.eye(len(kernel)), values))


def _classes(label: Array) -> bool:
    """Whether rows (n, K) are one-hot."""
    return bool((label.sum(1) == 1).all())


def _gaussian(outputs: Array) -> Array:
    """The Gaussian kernel whose width is the median distance of outputs."""
    squares = (outputs**2).sum(1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * outputs @ outputs.T, 0)
    width = float(np.median(distances[np.triu_indices(len(outputs), 1)]))
    return np.asarray(np.exp(-distances / width)) if width > 0 else np.zeros_like(distances)


def _left_out(kernel: Array, penalty: float) -> Array:
    rest = penalty * np.linalg.inv(kernel + penalty * np.eye(len(kernel)))  # 1 - H
    return np.asarray(rest / np.maximum(np.diag(rest), 1e-12)[:, None])
