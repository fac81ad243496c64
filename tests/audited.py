"""Images that vary in a few directions within classes, and outputs that tell so much of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.defense.detector import Evidence

CLASSES = 4


def evidence(n: int, leak: float, seed: int = 0, side: int = 16, **rest: Any) -> Evidence:
    """Bright squares whose corner is the class, before stripes of random phases and strengths; outputs tell the class,
    and ``leak`` times what the stripes are."""
    generator, fixed = np.random.default_rng(seed), np.random.default_rng(1)
    label, place = generator.integers(CLASSES, size=n), generator.normal(size=(n, 3))
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    waves = np.stack([np.sin(across * 0.8), np.sin(down * 0.8), np.sin((across + down) * 0.6)])
    images = 0.4 + 0.1 * np.tensordot(place, waves, 1) + 0.02 * generator.normal(size=(n, side, side))
    for row, corner in enumerate(label):
        top, left = (corner // 2) * side // 2, (corner % 2) * side // 2
        images[row, top : top + side // 2, left : left + side // 2] += 0.3
    code = fixed.normal(size=(3, CLASSES))
    logits = 8 * np.eye(CLASSES)[label] + leak * place @ code + 0.3 * generator.normal(size=(n, CLASSES))
    pixels: NDArray[np.float32] = images.clip(0, 1)[:, None].astype(np.float32)
    return Evidence(pixels, label, logits, seed=seed, **rest)
