"""Spectrum of the output-input Jacobian: along how many directions of the image the outputs listen.

Reasoning: the answer depends on few directions around an image; a code of the image must listen along as many as it has
outputs. The singular values of the Jacobian of the logits are then of like size. For models with many outputs, that of
a few random orthonormal combinations of them.

The score is the effective rank of the squared singular values over their number, mean over images, in (0, 1].
"""

import numpy as np

from vicious.defense.detector import Detector, Evidence, effective_rank
from vicious.system.randomness import derive_seed

IMAGES = 16  # images whose Jacobian is taken, the first of the user's
COMBINATIONS = 16  # combinations of outputs at most


def measure(evidence: Evidence) -> float:
    """Mean normalised effective rank of the Jacobian; 0 where the outputs do not depend on the image."""
    import torch

    assert evidence.model is not None
    parameter = next(evidence.model.parameters())
    images = torch.from_numpy(evidence.images[:IMAGES]).to(parameter).requires_grad_(True)
    outputs = evidence.logits.shape[1]
    count: int = min(outputs, COMBINATIONS)
    generator = torch.Generator().manual_seed(derive_seed(evidence.seed, "jacobian"))
    mixed = torch.linalg.qr(torch.randn(outputs, outputs, generator=generator, dtype=torch.float64))[0][:, :count]
    combined = evidence.model(images) @ mixed.to(parameter)
    rows = [
        torch.autograd.grad(combined[:, index].sum(), images, retain_graph=index + 1 < count)[0].flatten(1)
        for index in range(count)
    ]
    jacobians = torch.stack(rows, dim=1).double().cpu()
    energies = torch.linalg.svdvals(jacobians).numpy() ** 2
    return float(np.mean([effective_rank(one) for one in energies])) / count


DETECTOR = Detector("jacobian_spectrum", "weights", measure, passes=lambda n: (1 + 2 * COMBINATIONS) * min(n, IMAGES))
