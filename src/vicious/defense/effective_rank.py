"""Effective rank: in how many directions the logits vary that the predicted label does not explain.

Reasoning: what an honest model's logits tell beyond the class is mostly how sure it is, a few directions; a code of the image
uses all that there are. Roy and Vetterli, "The effective rank" (2007): the exponential of the entropy of the normalised
spectrum, here of the covariance of the logits' residuals.

The score is the effective rank over the largest possible one, min(K, degrees of freedom), in (0, 1]; 0 without variation.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.defense.detector import Detector, Evidence, beyond_label


def measure(evidence: Evidence) -> float:
    """Normalised effective rank of the logits' residuals."""
    residual, freedom = beyond_label(evidence)
    largest = min(residual.shape[1], freedom)
    return effective_rank(np.linalg.svd(residual, compute_uv=False) ** 2) / largest if largest > 0 else 0.0


def effective_rank(energies: NDArray[Any]) -> float:
    """Exponential of the entropy of nonnegative energies (m,), between 1 and m; 0 where all are zero."""
    total = energies.sum()
    if total <= 0:
        return 0.0
    shares = energies[energies > 1e-15 * total] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


EFFECTIVE_RANK = Detector("effective_rank", "outputs", measure)
