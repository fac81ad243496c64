"""Calibration: how far the model's confidence departs from how often it is right.

Reasoning: a probability that also encodes a picture is no honest probability. Small samples and long training spoil
calibration too, so this is a weak witness: see the table of detection thresholds.

The score is the expected calibration error, in [0, 1], of Guo et al., "On calibration of modern neural networks"
(2017), with bins of equally many decisions.
"""

import numpy as np

from vicious.defense.detector import Detector, Evidence, log_probabilities

BINS = 10


def measure(evidence: Evidence) -> float:
    from scipy.special import expit

    logits = evidence.logits
    if evidence.multilabel:
        sure, correct = expit(np.abs(logits)).ravel(), ((logits >= 0) == (evidence.labels == 1)).ravel()
    else:
        sure, correct = np.exp(log_probabilities(evidence)).max(2).ravel(), logits.argmax(1) == evidence.labels
    order = np.argsort(sure, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)))
    return float(sum(len(part) * abs(sure[part].mean() - correct[part].mean()) for part in parts) / len(order))


DETECTOR = Detector("calibration", "outputs", measure)
