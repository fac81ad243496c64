"""softmax: the probabilities."""

from vicious.mitigations import Mitigation, as_probabilities

MITIGATION = Mitigation(lambda logits, _amount, multilabel, _generator: as_probabilities(logits, multilabel), None)
