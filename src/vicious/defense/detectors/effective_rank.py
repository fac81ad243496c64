"""Effective rank: in how many directions the logits vary that the predicted label does not explain.

Reasoning: what an honest model's logits give away beyond the class is mostly how sure it is, a few directions; a code
of the image uses all that there are.

The score is the effective rank of the covariance of the logits' residuals over the largest possible one, min(K, degrees
of freedom), in (0, 1]; 0 without variation.
"""

import numpy as np

from vicious.defense.detector import Detector, Evidence, beyond_label, effective_rank


def measure(evidence: Evidence) -> float:
    residual, freedom = beyond_label(evidence)
    largest = min(residual.shape[1], freedom)
    return effective_rank(np.linalg.svd(residual, compute_uv=False) ** 2) / largest if largest > 0 else 0.0


DETECTOR = Detector("effective_rank", "outputs", measure)
