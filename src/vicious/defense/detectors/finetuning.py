"""Honest fine-tuning: how much a few steps on the classification loss alone move the outputs.

Reasoning: a model at an optimum of its stated loss stays where it is; one that was held elsewhere by a second loss
gives way as soon as that is gone. The user has a copy of the model and some labelled images, so this can be tried.

The score is the mean squared change of the logits after :data:`STEPS` steps over their variance, both over the user's
images.
"""

from vicious.defense.detector import Detector, Evidence
from vicious.defense.stated_loss import StatedLoss

STEPS = 5
RATE = 1e-4  # learning rate of Adam
IMAGES = 50  # images that are used at most, the first of the user's


def measure(evidence: Evidence) -> float:
    """Relative squared change of the logits; 0 where the outputs are constant and stay so."""
    import torch

    from vicious.training.adam import Adam

    loss = StatedLoss(evidence, IMAGES)
    assert evidence.model is not None
    optimiser = Adam(loss.model, RATE)
    for _ in range(STEPS):  # in evaluation mode: the statistics of the normalisation stay the server's
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    with torch.no_grad():
        before, after = (one(loss.images).double() for one in (evidence.model, loss.model))
    variance = float(before.var(0, unbiased=False).sum())
    return float((after - before).square().sum(1).mean()) / variance if variance > 0 else 0.0


DETECTOR = Detector("finetuning", "weights", measure, passes=lambda n: (3 * STEPS + 2) * min(n, IMAGES))
