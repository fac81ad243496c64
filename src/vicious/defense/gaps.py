"""The gaps of the outputs, in a form that simple maps cannot hide.

Reasoning: a server may change the outputs in any way that it can undo. What costs it nothing: to add noise to the
largest logit, which names the class already; to shift all logits of an image, or to stretch their gaps, by any positive
amount; to do so by the predicted label. Where such changes are large, logits that are standardised as they are show the
label and the changes, and little else. So the largest logit goes, the others are standardised image by image, and what
is left is compared among images of one predicted class, where there are :data:`ENOUGH` of these. It is the shape of the
gaps alone; their size, which may be a part of the code, is lost. With fewer than :data:`SEVERAL` outputs the size
stays, and so does what a stretch does to it; with two classes there is one gap, which noise on the largest logit
drowns.

Attributes have no largest logit: their sizes are standardised image by image, and each is compared among images with
the same predicted value of that attribute.

What remains open: changes that differ from output to output and by the image, monotone ones such as powers of the gaps,
and signs or orders of the gaps that differ by the label.
"""

import numpy as np
from numpy.typing import NDArray

from vicious.defense.detector import Array

_Rows = NDArray[np.bool_]
ENOUGH = 3  # images a class, on average, from which on classes are kept apart; with fewer, their means are not known
SEVERAL = 5  # outputs from which on they are standardised image by image; of fewer, hardly anything would be left
_ROUNDING = 1e-6  # a spread of no more than this share of the values is rounding of float32


def gaps(logits: Array, new: Array, multilabel: bool) -> tuple[Array, Array]:
    """The gaps in that form, (n, K) and (m, K): of logits (n, K), and of others (m, K) by the statistics of the first.

    Each column has unit variance over the first, or is 0 where there is nothing left. A new image of a class, or with a
    value of an attribute, that the first do not have twice is 0 there.
    """
    forms = [_sizes(part) if multilabel else _others(part) for part in (logits, new)]
    known, asked = map(np.zeros_like, forms)
    for column, one, other in _groups(logits, new, multilabel):
        known[one, column], asked[other, column] = _beyond_mean(forms[0][one, column], forms[1][other, column])
    spread = known.std(0)
    scale = np.where(spread > _ROUNDING, spread, np.inf)
    return known / scale, asked / scale


def _groups(logits: Array, new: Array, multilabel: bool) -> list[tuple[slice, _Rows, _Rows]]:
    """Columns, and which of the rows (n,) and of the new ones (m,) are compared there."""
    count = logits.shape[1]
    if multilabel:
        pairs = [(k, value) for k in range(count) for value in (False, True)]
        return [(slice(k, k + 1), (logits[:, k] >= 0) == value, (new[:, k] >= 0) == value) for k, value in pairs]
    if len(logits) < ENOUGH * count:
        return [(slice(None), np.ones(len(logits), bool), np.ones(len(new), bool))]
    return [(slice(None), logits.argmax(1) == label, new.argmax(1) == label) for label in range(count)]


def _beyond_mean(group: Array, new: Array) -> tuple[Array, Array]:
    """Rows (g, q) and (h, q) beyond the first ones' mean, relative to the root mean square of what is left of them."""
    if len(group) < 2:
        return np.zeros_like(group), np.zeros_like(new)
    varies = group.std(0) > _ROUNDING * np.abs(group).max(0)
    rest, new_rest = (np.where(varies, part - group.mean(0), 0) for part in (group, new))
    size = float(np.sqrt((rest**2).sum() / (len(rest) - 1)))
    return (rest / size, new_rest / size) if size > 0 else (rest, np.zeros_like(new))


def _others(logits: Array) -> Array:
    """The logits that are not the largest in the form of their gaps, (n, K), 0 in the place of the largest."""
    count = logits.shape[1]
    if count == 2:
        gaps: Array = logits - logits.max(1, keepdims=True)
        return gaps
    largest = np.arange(count) == logits.argmax(1)[:, None]
    others = logits[~largest].reshape(len(logits), count - 1)
    found = np.zeros_like(logits)
    found[~largest] = (_standardised(others) if count >= SEVERAL else others - others.mean(1, keepdims=True)).ravel()
    return found


def _sizes(logits: Array) -> Array:
    """How sure each attribute is, (n, K)."""
    return _standardised(np.abs(logits)) if logits.shape[1] >= SEVERAL else np.abs(logits)


def _standardised(rows: Array) -> Array:
    """Each row with zero mean and unit variance; 0 where it is constant."""
    spread = rows.std(1, keepdims=True)
    limit = _ROUNDING * np.abs(rows).max(1, keepdims=True)
    scaled: Array = (rows - rows.mean(1, keepdims=True)) / np.where(spread > limit, spread, np.inf)
    return scaled
