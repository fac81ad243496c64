"""How much of the images ridge regression reads from outputs, beyond the predicted label.

A few outputs can hold no more than the image in outline, so what is read are the leading principal components of the
user's images; finer detail, which neither an honest nor a vicious model gives away, would only add noise.

The share is 1 - SS(outputs and label) / SS(label), both sums of squared errors of images that were left out one at a
time (Allen's PRESS: "The relationship between variable selection and data augmentation and a method for prediction",
Technometrics 16, 1974), each with its best ridge penalty. 0: outputs give away nothing beyond the label; 1: everything;
below 0: they mislead.
"""

import numpy as np

from vicious.defense.detector import Array, Evidence

COMPONENTS = 10
PENALTIES = tuple(10.0**power for power in np.arange(-2, 4.01, 0.5))


def explained(features: Array, evidence: Evidence) -> float:
    """Share of the leading components' variance that features (n, q) explain beyond the predicted label, at most 1.

    Where all images are equal there is nothing to explain and the share is 0.
    """
    label, codes = evidence.predicted, _leading_components(evidence.pixels)
    base = _left_out_errors(label, codes).min()
    if base <= 0:
        return 0.0
    return float(1.0 - _left_out_errors(np.hstack([features, label]), codes).min() / base)


def _leading_components(rows: Array) -> Array:
    """The first principal components of rows, (n, d) -> (n, 10), largest last; by the n x n inner products."""
    centred = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    return np.asarray(vectors[:, -COMPONENTS:] * np.sqrt(np.maximum(values[-COMPONENTS:], 0)))


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
