"""Output margin: how far the chosen answer lies above the next one, in units of how the logits vary.

Reasoning: cross-entropy rewards a margin that stands out from all else that moves the logits; a code of the image makes
the logits vary for reasons that have nothing to do with the answer. The ratio does not depend on the temperature of the
logits.

The score is minus the mean margin over the standard deviation of the logits; 0 where they do not vary.
"""

import numpy as np

from vicious.defense.detector import Detector, Evidence


def measure(evidence: Evidence) -> float:
    """Minus the mean margin between the two largest logits, or the mean distance from 0 of attributes' logits."""
    logits = evidence.logits
    spread = float(np.sqrt(logits.var(0).mean()))
    if spread <= 0:
        return 0.0
    ordered = np.sort(logits, axis=1)
    margin = np.abs(logits).mean() if evidence.multilabel else (ordered[:, -1] - ordered[:, -2]).mean()
    return -float(margin) / spread


DETECTOR = Detector("margin", "outputs", measure)
