"""Gap decodability: linear decodability of the gaps alone, for servers that change the outputs and undo it.

Reasoning: the same ridge regression, but on what :mod:`vicious.defense.gaps` leaves of the outputs. It sees less than the whole
logits of a server that does not hide, and the same of one that shifts or stretches them. A server that turns the gaps around or mixes
their order, by the label, blinds both.

Most columns are noise, so they weigh less than the label before the common ridge penalty, :data:`WEIGHT`.
"""

from vicious.defense.detector import Detector, Evidence
from vicious.defense.gaps import gaps
from vicious.defense.linear_decodability import explained

WEIGHT = 0.3


def measure(evidence: Evidence) -> float:
    """Share of the variance of the leading components that the gaps explain beyond the predicted label, at most 1; 0 where
    there is nothing to explain."""
    told, _ = gaps(evidence.logits, evidence.logits, evidence.multilabel)
    return explained(WEIGHT * told, evidence)


GAP_DECODABILITY = Detector("gap_decodability", "outputs", measure)
