"""Gap decodability: linear decodability of the gaps alone, for servers that change the outputs and undo it.

Reasoning: the same ridge regression, but on what :mod:`vicious.defense.gaps` leaves of the outputs. It sees less than
the whole logits of a server that does not hide, and the same of one that shifts or stretches them. A server that turns
the gaps around or mixes their order, by the label, blinds both.

Most columns are noise, so they weigh less than the label before the common ridge penalty, :data:`WEIGHT`.
"""

from vicious.defense.decodability import explained
from vicious.defense.detector import Detector, Evidence
from vicious.defense.gaps import gaps

WEIGHT = 0.3


def measure(evidence: Evidence) -> float:
    columns, _ = gaps(evidence.logits, evidence.logits, evidence.multilabel)
    return explained(WEIGHT * columns, evidence)


DETECTOR = Detector("gap_decodability", "outputs", measure, seconds=0.6)
