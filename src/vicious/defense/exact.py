"""An exact test of "the outputs tell nothing of an image beyond the predicted label", with no model to compare with.

If that were so, then among images with the same predicted label it would not matter whose outputs are whose. So images
are exchanged at random within the predicted labels, as often as asked, and the share of a statistic that is at least as
large as the real one is the p-value: Phipson and Smyth, "Permutation p-values should never be zero" (Statistical
Applications in Genetics and Molecular Biology 9, 2010), equation 2. It is exact for any statistic, any model and any
number of images.

The statistic is decodability: the share of the images' variation within predicted labels, along their leading principal
components, that a ridge regression from the outputs explains. Each image is judged by a fit to all others, in the
closed form for leaving one out: Allen, "The relationship between variable selection and data augmentation and a method
for prediction" (Technometrics 16, 1974). There is one such share for each kernel, linear and Gaussian, and penalty. The
largest counts. It is taken anew for each exchange, so choosing it costs nothing.

**Honest models fail this test, too**: how sure a classifier is depends on the image. It says that something is given
away beyond the label, and the effect says how much. It never says that a server is vicious.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vicious.defense.decodability import COMPONENTS
from vicious.defense.detector import ROUNDING, Array, Evidence, standardised
from vicious.system.errors import MetricError

PENALTIES = (0.03, 0.3, 3.0)
"""Of the ridge regressions, times the mean diagonal of the kernel."""
MOST = 500
"""Images that are looked at; of more, the first."""
EXCHANGES = 999


@dataclass(frozen=True)
class Exact:
    """The result of the test.

    Attributes:
        p: the p-value, from 1 / (exchanges + 1) to 1.
        effect: share of the images' variation within predicted labels that the outputs explain, minus its mean over
            exchanges, ``by_chance``; about 0 or less: none.
        exchanges: how many there were.
        images: how many were looked at.
        exchanged: images that share their predicted label with another one; the others stay where they are.
    """

    p: float
    effect: float
    by_chance: float
    exchanges: int
    images: int
    exchanged: int


def exact_test(evidence: Evidence, exchanges: int = EXCHANGES) -> Exact:
    """Test whether outputs tell more of images than the predicted label.

    Args:
        evidence: its true labels are not used.
        exchanges: at least 19, with which p can reach 0.05.

    Raises:
        MetricError: fewer exchanges; or no two images have the same predicted label, or those that do are the same.
    """
    if exchanges < 19:
        raise MetricError(f"a permutation test needs at least 19 exchanges, got {exchanges}")
    count = min(len(evidence.images), MOST)
    label = np.unique(evidence.predicted[:count], axis=0, return_inverse=True)[1].reshape(-1)
    images = _beyond_mean(evidence.pixels[:count], label)
    outputs = standardised(_beyond_mean(standardised(evidence.logits[:count]), label), 1.0)
    sizes = np.bincount(label)
    exchanged = int(sizes[sizes > 1].sum())
    likeness = _leading(images @ images.T)
    total = float(np.trace(likeness))
    if not exchanged or total <= 0:
        raise MetricError(
            f"{count} images have no two of the same predicted label that differ: give more images, or other ones"
        )
    found = [form for kernel in (_linear(outputs), _gaussian(outputs)) for form in _forms(kernel)]
    if not found:  # within a label all outputs are the same
        return Exact(1.0, 0.0, 0.0, exchanges, count, exchanged)
    forms = np.stack(found)
    generator = np.random.default_rng(evidence.seed)
    real = _largest(forms, likeness, total)
    orders = (_within(label, generator) for _ in range(exchanges))
    others = [_largest(forms, likeness[np.ix_(order, order)], total) for order in orders]
    p = (1 + sum(other >= real - ROUNDING for other in others)) / (1 + exchanges)
    by_chance = float(np.mean(others))
    return Exact(p, real - by_chance, by_chance, exchanges, count, exchanged)


def _beyond_mean(values: Array, label: NDArray[np.int64]) -> Array:
    """Rows (n, d) minus the mean of those of the same label, which no exchange within labels changes."""
    rest = values.copy()
    for one in np.unique(label):
        rest[label == one] -= values[label == one].mean(0)
    return rest


def _within(label: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """An order of rows, at random among those of each label."""
    order = np.arange(len(label))
    for one in np.unique(label):
        places = np.flatnonzero(label == one)
        order[places] = generator.permutation(places)
    return order


def _leading(products: Array) -> Array:
    """Inner products (n, n) of rows along their leading principal components alone, of whatever order the rows are."""
    values, vectors = np.linalg.eigh(products)
    kept = vectors[:, -COMPONENTS:] * np.sqrt(np.maximum(values[-COMPONENTS:], 0))
    return np.asarray(kept @ kept.T)


def _linear(outputs: Array) -> Array:
    return np.asarray(outputs @ outputs.T)


def _gaussian(outputs: Array) -> Array:
    """The Gaussian kernel whose width is the median distance of outputs."""
    squares = (outputs**2).sum(1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * outputs @ outputs.T, 0)
    width = float(np.median(distances[np.triu_indices(len(outputs), 1)]))
    return np.asarray(np.exp(-distances / width)) if width > 0 else np.zeros_like(distances)


def _forms(kernel: Array) -> list[Array]:
    """For each penalty the quadratic form of the squared errors of images that are left out one by one, (n, n).

    With the smoother H = K (K + penalty)^-1 these errors are (1 - H) y / (1 - h), h the diagonal of H.
    """
    size = float(np.trace(kernel)) / len(kernel)
    if size <= 0:
        return []
    values, vectors = np.linalg.eigh(kernel)
    found = []
    for penalty in PENALTIES:
        shrunk = np.maximum(values, 0) / (np.maximum(values, 0) + penalty * size)
        rest = np.eye(len(kernel)) - (vectors * shrunk) @ vectors.T
        left_out = rest / np.maximum(np.diag(rest), 1e-12)[:, None]
        found.append(left_out.T @ left_out)
    return found


def _largest(forms: Array, likeness: Array, total: float) -> float:
    """The largest share explained, of all kernels and penalties."""
    errors = forms.reshape(len(forms), -1) @ likeness.reshape(-1)
    return float(1 - errors.min() / total)
