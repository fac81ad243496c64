"""Linear decodability: how much of the images a linear map reads from the logits, beyond the predicted label.

Reasoning: an honest classifier's logits tell little more of an image than its class. A vicious one must write the image into
them for its decoder, and a code that a convolutional decoder learns to read is, to a good part, linear. Ridge regression from the
standardised logits and the predicted label to the image finds it with a few images and without training a network. A few outputs can
hold no more than the image in outline, so what is read are the leading principal components of the user's images; finer detail,
which neither an honest nor a vicious model tells, would only add noise.

A server that knows of it can drown the code: see :mod:`vicious.defense.gap_decodability`.

The score is 1 - SS(logits and label) / SS(label), both sums of squared errors of images that were left out one at a time (Allen's
PRESS: "The relationship between variable selection and data augmentation and a method for prediction", Technometrics 16,
1974), each with its best ridge penalty. 0: logits tell nothing beyond the label; 1: everything; below 0: they mislead.
"""

import numpy as np

from vicious.defense.detector import Array, Detector, Evidence, standardised

COMPONENTS = 10
PENALTIES = tuple(10.0**power for power in np.arange(-2, 4.01, 0.5))


def score(evidence: Evidence) -> float:
    """Share of the variance of the leading components explained beyond the predicted label, at most 1.

    Where all images are equal there is nothing to explain and the score is 0.
    """
    return explained(standardised(evidence.logits), evidence)


def explained(told: Array, evidence: Evidence) -> float:
    """The score of what outputs tell, (n, q), beyond the predicted label."""
    label, codes = evidence.predicted, leading_components(evidence.pixels)
    base = _left_out_errors(label, codes).min()
    if base <= 0:
        return 0.0
    return float(1.0 - _left_out_errors(np.hstack([told, label]), codes).min() / base)


def leading_components(rows: Array, count: int = COMPONENTS) -> Array:
    """The first principal components of rows, (n, d) -> (n, count), largest last; by the n x n matrix of inner products."""
    centred = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    return np.asarray(vectors[:, -count:] * np.sqrt(np.maximum(values[-count:], 0)))


def _left_out_errors(features: Array, codes: Array) -> Array:
    """Sums of squared errors of ridge regression with an unpenalised constant on rows left out, one per penalty."""
    u, s, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    centred = codes - codes.mean(0)
    inner, errors = u.T @ centred, []
    for penalty in PENALTIES:
        kept = s**2 / (s**2 + penalty)
        leverage = 1 / len(u) + (u**2 * kept).sum(1)
        errors.append((((centred - (u * kept) @ inner) / (1 - leverage)[:, None]) ** 2).sum())
    return np.array(errors)


LINEAR_DECODABILITY = Detector("linear_decodability", "outputs", score)
