"""What the detectors of entropy, margin and calibration share: the outputs as probabilities."""

import numpy as np

from vicious.defense.detector import Array, Evidence


def log_probabilities(evidence: Evidence) -> Array:
    """Logarithms of the probabilities of the choices of each decision, (n, decisions, choices).

    Classes are one decision between K choices, attributes are K decisions between two.
    """
    from scipy.special import log_softmax

    logits = evidence.logits
    if evidence.multilabel:
        return np.stack([-np.logaddexp(0, logits), -np.logaddexp(0, -logits)], axis=2)
    return np.asarray(log_softmax(logits, axis=1))[:, None, :]


def right(evidence: Evidence) -> Array:
    """Whether each decision is right, (n, decisions)."""
    if evidence.multilabel:
        hits = (evidence.logits >= 0) == (evidence.labels == 1)
    else:
        hits = (evidence.logits.argmax(1) == evidence.labels)[:, None]
    return np.asarray(hits, dtype=np.float64)


def confidence(evidence: Evidence) -> Array:
    """Probability of the choice made in each decision, (n, decisions)."""
    if evidence.multilabel:
        from scipy.special import expit

        return np.asarray(expit(np.abs(evidence.logits)))
    largest: Array = np.exp(log_probabilities(evidence)).max(2)
    return largest
