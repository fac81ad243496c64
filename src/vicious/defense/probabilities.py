"""What the detectors of entropy, margin and calibration share: the outputs as probabilities."""

import numpy as np
from scipy.special import expit, log_softmax

from vicious.defense.detector import Array, Evidence


def log_probabilities(evidence: Evidence) -> Array:
    """Logarithms of the probabilities of the choices of each decision, (n, decisions, choices).

    Classes are one decision between K choices, attributes are K decisions between two.
    """
    logits = evidence.logits
    if not evidence.multilabel:
        return np.asarray(log_softmax(logits, axis=1))[:, None, :]
    return np.stack([-np.logaddexp(0, logits), -np.logaddexp(0, -logits)], axis=2)


def right(evidence: Evidence) -> Array:
    """Whether each decision is right, (n, decisions)."""
    if evidence.multilabel:
        return ((evidence.logits >= 0) == (evidence.labels == 1)).astype(np.float64)
    return (evidence.logits.argmax(1) == evidence.labels).astype(np.float64)[:, None]


def confidence(evidence: Evidence) -> Array:
    """Probability of the choice made in each decision, (n, decisions)."""
    if evidence.multilabel:
        return np.asarray(expit(np.abs(evidence.logits)))
    return np.exp(log_probabilities(evidence)).max(2)
