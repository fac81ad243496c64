"""Gradient norm of the classification loss: how far the model is from an optimum of what it claims to be trained for.

Reasoning: a model trained for two losses stops where their weighted gradients cancel, not where that of the
classification loss is small. The user's images were not trained on, so an honest model's gradient is not 0 either.

The score is the norm of the gradient of the mean loss on the user's images, in evaluation mode, over the norm of the
weights.
"""

from vicious.defense.detector import Detector, Evidence
from vicious.defense.stated_loss import StatedLoss


def measure(evidence: Evidence) -> float:
    import torch

    loss = StatedLoss(evidence)
    up, down = (
        torch.stack([part.detach().double().square().sum() for part in parts]).sum()
        for parts in (loss.gradients(), loss.model.parameters())
    )
    return float((up / down).sqrt())


DETECTOR = Detector("gradient_norm", "weights", measure, passes=lambda n: 3 * n)
