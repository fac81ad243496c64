"""Logits as the user's own decoders read them: without what a server can lay over the code by the predicted label alone.

Reasoning: the predicted label can be seen in the outputs, so a server can shift the logits, or stretch their gaps, by any amounts
that depend on it, and undo that. If these amounts are large, logits that are standardised as they are tell the label and little
else. So the label goes first, and what is left is standardised:

- of classes, with :data:`ENOUGH` images a class or more: the logits beyond the mean of those that are not the largest (a shift of all
  tells no class) and beyond their mean in the predicted class, relative to their root mean square in that class;
- of classes, with fewer images, whose means are not known: the logits that are not the largest, standardised image by image;
- of attributes: each logit standardised among the images with the same predicted value of its attribute.
"""

import numpy as np
from numpy.typing import NDArray

from vicious.defense.detector import ROUNDING, Array

ENOUGH = 3
"""Images a class, on average, from which on means of classes are taken."""
_Rows = NDArray[np.bool_]


def features(logits: Array, new: Array, multilabel: bool) -> tuple[Array, Array]:
    """What decoders read, (n, K) and (m, K): of some logits (n, K), and of others (m, K) by the statistics of the first.

    Each column has unit variance over the first, or is 0 where there is nothing left. A new image of a class, or with a value of
    an attribute, that the first do not have twice is 0 there.
    """
    count = logits.shape[1]
    if multilabel:
        known, asked = np.zeros_like(logits), np.zeros_like(new)
        for k in range(count):
            for value in (False, True):
                one, other = ((part[:, k] >= 0) == value for part in (logits, new))
                known[one, k], asked[other, k] = (
                    part[:, 0] for part in _within(logits[one, k : k + 1], new[other, k : k + 1])
                )
    elif len(logits) >= ENOUGH * count:
        known, asked = np.zeros_like(logits), np.zeros_like(new)
        relative, new_relative = (part - _of_others(part).mean(1, keepdims=True) for part in (logits, new))
        for label in range(count):
            one, other = (part.argmax(1) == label for part in (logits, new))
            known[one], asked[other] = _within(relative[one], new_relative[other])
    else:
        known, asked = map(_by_image, (logits, new))
        mean = known.mean(0)
        known, asked = known - mean, asked - mean
    spread = known.std(0)
    scale = np.where(spread > ROUNDING, spread, np.inf)
    return known / scale, asked / scale


def _within(group: Array, new: Array) -> tuple[Array, Array]:
    """Rows (g, q) and (h, q) beyond the first ones' mean, relative to the root mean square of what is left of them."""
    if len(group) < 2:
        return np.zeros_like(group), np.zeros_like(new)
    mean = group.mean(0)
    told = group.std(0) > ROUNDING * np.abs(group).max(0)
    rest, new_rest = (np.where(told, part - mean, 0) for part in (group, new))
    size = float(np.sqrt((rest**2).sum() / (len(rest) - 1)))
    return (rest / size, new_rest / size) if size > 0 else (rest, np.zeros_like(new))


def _of_others(logits: Array) -> Array:
    """The logits that are not the largest, (n, K - 1)."""
    return logits[~_largest(logits)].reshape(len(logits), -1)


def _by_image(logits: Array) -> Array:
    """The logits that are not the largest, each image's standardised, in their places; 0 in that of the largest."""
    others = _of_others(logits)
    rest = others - others.mean(1, keepdims=True)
    spread = rest.std(1, keepdims=True)
    found = np.zeros_like(logits)
    limit = ROUNDING * np.abs(others).max(1, keepdims=True)
    found[~_largest(logits)] = (rest / np.where(spread > limit, spread, np.inf)).ravel()
    return found


def _largest(logits: Array) -> _Rows:
    """Where the predicted class is, (n, K)."""
    return np.arange(logits.shape[1]) == logits.argmax(1)[:, None]
