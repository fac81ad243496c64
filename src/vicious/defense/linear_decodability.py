"""Linear decodability: how much of the pixels' variance a linear map reads from the logits, beyond the predicted label.

Reasoning: an honest classifier's logits tell little more of an image than its class. A vicious one must write the image into
them for its decoder, and a code that a convolutional decoder learns to read is, to a good part, linear. Ridge regression
from the standardised logits and the predicted label to pixels finds it with a few images and without training a network.

The score is 1 - SS(logits and label) / SS(label), both cross-validated sums of squared pixel errors on images that were not
fitted, each with its best ridge penalty. 0: logits tell nothing beyond the label; 1: everything; below 0: they mislead.
"""

import numpy as np

from vicious.defense.detector import Array, Detector, Evidence, standardised

FOLDS = 5
PENALTIES = tuple(10.0**power for power in np.arange(-2, 4.01, 0.5))


def score(evidence: Evidence) -> float:
    """Share of the pixels' variance explained beyond the predicted label, at most 1.

    Constant pixels carry no variance; where all images are equal there is nothing to explain and the score is 0.
    """
    label, pixels = evidence.predicted, evidence.pixels
    base = _cross_validated_error(label, pixels)
    if base <= 0:
        return 0.0
    both = _cross_validated_error(np.hstack([standardised(evidence.logits), label]), pixels)
    return 1.0 - both / base


def _cross_validated_error(features: Array, images: Array) -> float:
    """Smallest cross-validated sum of squared errors over the ridge penalties."""
    totals = np.zeros(len(PENALTIES))
    fold = np.arange(len(images)) % FOLDS  # the user's images come in random order
    for held in range(FOLDS):
        totals += _ridge_errors(
            features[fold != held], images[fold != held], features[fold == held], images[fold == held]
        )
    return float(totals.min())


def _ridge_errors(features: Array, images: Array, new_features: Array, new_images: Array) -> Array:
    """Sums of squared errors on new images of ridge regression with an unpenalised constant, one per penalty."""
    centre, mean = features.mean(0), images.mean(0)
    u, s, vt = np.linalg.svd(features - centre, full_matrices=False)
    inner = u.T @ (images - mean)
    projected = (new_features - centre) @ vt.T
    residual = new_images - mean
    return np.array([((residual - (projected * (s / (s**2 + penalty))) @ inner) ** 2).sum() for penalty in PENALTIES])


LINEAR_DECODABILITY = Detector("linear_decodability", "outputs", score)
