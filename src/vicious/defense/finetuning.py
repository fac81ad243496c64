"""Honest fine-tuning: how much a few steps on the classification loss alone move the outputs.

Reasoning: a model at an optimum of its stated loss stays where it is; one that was held elsewhere by a second loss gives way as soon as
that is gone. The user has a copy of the model and some labelled images, so this can be tried.

The score is the mean squared change of the logits after :data:`STEPS` steps over their variance, both over the user's images.
"""

import copy

import torch

from vicious.defense.detector import Detector, Evidence
from vicious.training.losses import classification_loss, positive_weights

STEPS = 5
RATE = 1e-4
"""Learning rate of Adam."""
IMAGES = 50
"""Images that are used at most, the first of the user's."""


def measure(evidence: Evidence) -> float:
    """Relative squared change of the logits; 0 where the outputs are constant and stay so."""
    assert evidence.model is not None
    model = copy.deepcopy(evidence.model).requires_grad_(True)
    weights = list(model.parameters())
    images = torch.from_numpy(evidence.images[:IMAGES]).to(weights[0])
    labels = torch.from_numpy(evidence.labels[:IMAGES]).to(weights[0].device)
    weight = positive_weights(labels) if evidence.multilabel else None
    optimiser = torch.optim.Adam(weights, lr=RATE)
    for _ in range(STEPS):  # in evaluation mode: the statistics of the normalisation stay the server's
        optimiser.zero_grad(set_to_none=True)
        classification_loss(model(images), labels, weight).backward()
        optimiser.step()
    with torch.no_grad():
        before, after = (one(images).double() for one in (evidence.model, model))
    variance = float(before.var(0, unbiased=False).sum())
    return float((after - before).square().sum(1).mean()) / variance if variance > 0 else 0.0


FINETUNING = Detector("finetuning", "weights", measure)
