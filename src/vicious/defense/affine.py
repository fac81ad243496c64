"""Is a model affine, that is a linear map of the image's pixels and a constant?

Logistic regression, linear discriminants and squared distances to mean images are, up to a number that all outputs of
an image share. Each of their outputs is a picture of the image seen through one template, so they tell much more of it
than networks do, and are compared with students of their own kind.
"""

import math

import numpy as np
from numpy.typing import NDArray

from vicious.defense.detector import Array, Evidence
from vicious.system.errors import MetricError

PAIRS = 32
"""Pairs of images, between which the model is asked."""
FEWEST = 5
TOLERANCE = 0.01
"""How far outputs midway may be from the mean of those at the ends, as a share of their spread; networks with one
hidden layer are off by a tenth and more."""
FLOOR = math.log(2.0**-126)
"""The logit of a probability that was too small to say (:mod:`vicious.auditing.given`), which tells nothing."""


def is_affine(evidence: Evidence) -> bool:
    """Whether the outputs midway between two images are midway between theirs; False where the model cannot be asked,
    or answers no numbers."""
    pairs = min(PAIRS, len(evidence.images) // 2)
    if evidence.query is None or pairs < FEWEST:
        return False
    one, other = evidence.images[:pairs], evidence.images[pairs : 2 * pairs]
    try:
        ends, midway = (
            np.stack([evidence.ask(one), evidence.ask(other)]),
            evidence.ask(((one + other) / 2).astype(np.float32)),
        )
    except MetricError:
        return False
    told = (np.abs(np.abs(np.concatenate([ends, midway[None]])) + FLOOR) > 1e-6).all(0)
    if not evidence.multilabel:
        ends, midway, told = _relative(ends, midway, told)
    if told.sum() < (told.size if evidence.multilabel else told.size - pairs) / 2:
        return False
    between = ends.mean(0)
    spread = float(np.std(between[told] - _means(between, told)[told]))
    return spread > 0 and float(np.sqrt(np.mean((midway - between)[told] ** 2))) <= TOLERANCE * spread


def _relative(ends: Array, midway: Array, told: NDArray[np.bool_]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Outputs minus that of one class for each pair, the one that is largest midway: what all share drops out."""
    rows = np.arange(len(midway))
    chosen = midway.argmax(1)
    kept = told & told[rows, chosen][:, None]
    kept[rows, chosen] = False
    return ends - ends[:, rows, chosen][:, :, None], midway - midway[rows, chosen][:, None], kept


def _means(values: Array, told: NDArray[np.bool_]) -> Array:
    """The mean of each column over what is told."""
    return np.asarray((values * told).sum(0) / np.maximum(told.sum(0), 1))[None].repeat(len(values), 0)
