"""Distance correlation: whether images of one class that look alike have logits alike.

Reasoning: a code need not be linear for the server's decoder, but a network that learns to write and to read it will
give like images like codes. So within each predicted class the distances between logits are compared with those between
images. A server that lets the logits of each class change places, which blinds a linear decoder for all classes, does
not change these distances; one that bends them after training, or stretches them image by image, does. The largest
logit is left out, since a server could add noise to it that costs nothing.

The score is the bias-corrected squared distance correlation of Szekely and Rizzo, "Partial distance correlation with
methods for dissimilarities" (Annals of Statistics 42, 2014), with numerator and denominator summed over predicted
classes: 0 where there is no relation, 1 where distances agree up to a factor; negative by chance. Attributes are one
group, of what their predicted values leave of the logits.
"""

from collections.abc import Iterator

import numpy as np

from vicious.defense.detector import Array, Detector, Evidence, beyond_label, standardised

SMALLEST = 4  # images that a class must have to count: the correction for bias needs so many


def measure(evidence: Evidence) -> float:
    """The correlation, at most 1; 0 where no class has enough images that differ, in pixels and in outputs."""
    sums = np.zeros(3)
    for logits, pixels in _groups(evidence):
        if len(logits) >= SMALLEST:
            a, b = centred_distances(logits), centred_distances(pixels)
            sums += (a * b).sum(), (a * a).sum(), (b * b).sum()
    size = float(np.sqrt(sums[1]) * np.sqrt(sums[2]))
    return float(sums[0]) / size if size > 0 else 0.0


def centred_distances(rows: Array) -> Array:
    """U-centred Euclidean distances (n, n) between rows (n, d), n at least 4: equation 2.4 of the source."""
    from scipy.spatial.distance import pdist, squareform

    n, distances = len(rows), squareform(pdist(rows))
    sums = distances.sum(1)
    centred = distances - (sums[:, None] + sums) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    return np.asarray(centred)


def _groups(evidence: Evidence) -> Iterator[tuple[Array, Array]]:
    """Standardised logits and pixels of images that are compared with each other."""
    pixels = evidence.pixels
    if evidence.multilabel:
        yield standardised(beyond_label(evidence)[0], size=1), pixels  # left of standardised ones
        return
    label = evidence.logits.argmax(1)
    for name in np.unique(label):
        rows = evidence.logits[label == name]
        others = np.delete(rows, name, axis=1) if rows.shape[1] > 2 else rows
        relative = others - others.mean(1, keepdims=True)  # a shift of all logits changes no class
        yield standardised(relative), pixels[label == name]


DETECTOR = Detector("distance_correlation", "outputs", measure, seconds=0.4)
