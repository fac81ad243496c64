"""Output entropy: how unsure the model is of its answer.

Reasoning: logits that must carry a picture cannot all be spent on the answer, so a vicious model may be less sure of
it. The entropy also depends on epochs, regularisation and the recipe, so it is a weak witness: see the table of
detection thresholds.

The score is the mean entropy of the decisions over that of a uniform choice, in [0, 1].
"""

import numpy as np

from vicious.defense.detector import Detector, Evidence, log_probabilities


def measure(evidence: Evidence) -> float:
    logs = log_probabilities(evidence)
    return float(-(np.exp(logs) * logs).sum(2).mean() / np.log(logs.shape[2]))


DETECTOR = Detector("entropy", "outputs", measure)
