"""Kernel decodability: images that kernel ridge regression reads from the outputs beyond the label, label by label too.

Reasoning: linear decodability misses a code that is bent, or another one for each label. This is the largest share that
any of several kernels reads (:mod:`vicious.defense.beyond_label`): linear and Gaussian ones, of the outputs and of
their gaps, each as it is and times "same label or not". An audit calls it the leak.
"""

from vicious.defense.beyond_label import explained_by_image, left_out, likeness
from vicious.defense.detector import Detector, Evidence

MOST = 1000
"""Images that are used; of more, the first. Memory grows with their square: 0.4 GB."""


def measure(evidence: Evidence) -> float:
    label = evidence.predicted[:MOST]
    images = likeness(evidence.pixels[:MOST], label)
    if images.unexplained <= 0:  # images of a label are all alike
        return 0.0
    return float(explained_by_image(left_out(evidence.logits[:MOST], label), images).sum())


DETECTOR = Detector("kernel_decodability", "outputs", measure, seconds=5.0)
