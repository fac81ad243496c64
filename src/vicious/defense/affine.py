"""Is a model affine, that is a linear map of the image's pixels and a constant?

Logistic regression and linear discriminants are. Each of their outputs is a picture of the image seen through one
template, so they tell much more of it than networks do, and are compared with students of their own kind.

Of probabilities only the logarithms' differences can be linear, since they sum to 1, and these tell all. Of logits the
outputs themselves must be: what all of them share could be a code.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from vicious.defense.detector import Array, Evidence
from vicious.system.errors import MetricError

PAIRS = 32
"""Pairs of images, between which the model is asked."""
FEWEST = 5
TOLERANCE = 0.01
"""How far an output midway may be from the mean of those at the ends, as a share of its spread; networks with one
hidden layer are off by a tenth and more."""
SUM = 1e-3
"""How far the logarithm of the sum of probabilities may be from 0."""
FLOOR = math.log(2.0**-126)
"""The logit of a probability that was too small to say (:mod:`vicious.auditing.given`), which tells nothing. Of a model
with one output it is half of this."""


def is_affine(evidence: Evidence, counted: NDArray[np.bool_] | None = None) -> bool:
    """Whether each output midway between two images is midway between theirs; False where the model cannot be asked,
    fails, or answers no numbers.

    Args:
        evidence: of which the first images are used.
        counted: outputs (K,) that count; None: those that occur in the evidence.
    """
    pairs = min(PAIRS, len(evidence.images) // 2)
    if evidence.query is None or pairs < FEWEST:
        return False
    one, other = evidence.images[:pairs], evidence.images[pairs : 2 * pairs]
    try:
        answers = [evidence.ask(images) for images in (one, other, ((one + other) / 2).astype(np.float32))]
    except MetricError:
        return False
    values = np.stack(answers)[:, :, evidence.occurring if counted is None else counted]
    floor = np.isclose(np.abs(values)[..., None], (-FLOOR, -FLOOR / 2), rtol=0, atol=1e-6)
    told: NDArray[np.bool_] = np.logical_not(floor.any(axis=(0, 3)))
    if not evidence.multilabel and np.abs(logsumexp(np.stack(answers), axis=2)).max() < SUM:
        values, told = _relative(values, told)
    return values.shape[2] > 0 and all(_midway(values[:, told[:, column], column]) for column in range(values.shape[2]))


def _midway(values: Array) -> bool:
    """Whether one output (3, m) is midway where the images are: at one end, at the other, and midway."""
    if values.shape[1] < FEWEST:
        return False
    between = values[:2].mean(0)
    error = float(np.sqrt(np.mean((values[2] - between) ** 2)))
    return error <= TOLERANCE * float(between.std()) and float(between.std()) > 0


def _relative(values: Array, told: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """Log-probabilities minus that of the class which is told most often."""
    base = int(told.sum(0).argmax())
    rest = np.arange(values.shape[2]) != base
    return values[:, :, rest] - values[:, :, base, None], told[:, rest] & told[:, base, None]
