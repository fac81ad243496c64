"""Linear decodability: how much of the images a linear map reads from the logits, beyond the predicted label.

Reasoning: an honest classifier's logits give away little more of an image than its class. A vicious one must write the
image into them for its decoder, and a code that a convolutional decoder learns to read is, to a good part, linear.
Ridge regression from the standardised logits and the predicted label to the image finds it with a few images and
without training a network.

A server that knows of it can drown the code: see :mod:`vicious.defense.detectors.gap_decodability`.

The score is the share explained of :mod:`vicious.defense.decodability`.
"""

from vicious.defense.decodability import explained
from vicious.defense.detector import Detector, Evidence, standardised


def measure(evidence: Evidence) -> float:
    return explained(standardised(evidence.logits), evidence)


DETECTOR = Detector("linear_decodability", "outputs", measure, seconds=0.5)
