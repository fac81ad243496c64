"""probabilities: the same, only read otherwise.

They are those of softmax; the attacker reads their logarithms too.
"""

from vicious.mitigations import Mitigation, as_probabilities, logarithm

MITIGATION = Mitigation(lambda logits, _amount, multilabel, _generator: as_probabilities(logits, multilabel), logarithm)
