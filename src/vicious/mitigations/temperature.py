"""temperature T: probabilities of the logits divided by T."""

from vicious.mitigations import Mitigation, Number, as_probabilities, logarithm

MITIGATION = Mitigation(
    lambda logits, amount, multilabel, _generator: as_probabilities(logits / amount, multilabel), logarithm, Number()
)
