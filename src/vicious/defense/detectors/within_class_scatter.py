"""Within-class scatter: how much of the logits' variance the predicted label leaves unexplained.

Reasoning: training for the label alone pulls the logits of a class together (Papyan, Han and Donoho, "Prevalence of
neural collapse during the terminal phase of deep learning training", 2020); a code of the image must differ between
images of one class.

The score is the share, with the degrees of freedom taken into account: 0 where the label explains all, about 1 where it
explains nothing. It can exceed 1 by chance, and does most with fewer images than outputs.
"""

from vicious.defense.detector import Detector, Evidence, beyond_label, standardised


def measure(evidence: Evidence) -> float:
    """Unexplained variance over all variance of the standardised logits; 0 where the outputs are constant."""
    residual, freedom = beyond_label(evidence)
    total = float((standardised(evidence.logits) ** 2).sum()) / (len(residual) - 1)
    if total <= 0 or freedom < 1:
        return 0.0
    return float((residual**2).sum()) / freedom / total


DETECTOR = Detector("within_class_scatter", "outputs", measure)
