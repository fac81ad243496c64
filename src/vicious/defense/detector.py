"""What every detector is: a score from a target model's outputs on the user's own images; higher = more vicious.

A detector sees neither the attack model, nor training data, nor any image that is not the user's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vicious.errors import MetricError


@dataclass(frozen=True)
class Evidence:
    """What a user has in hand.

    Attributes:
        images: (n, d), the user's own images, pixels in [0, 1].
        labels: (n,) classes or (n, K) attributes, as the user knows them.
        logits: (n, K), the target model's outputs on them.
    """

    images: NDArray[np.float64]
    labels: NDArray[np.int64]
    logits: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.logits) or len(self.labels) != len(self.logits):
            raise MetricError(
                f"images ({len(self.images)}), labels ({len(self.labels)}) and logits ({len(self.logits)}) must be equally many"
            )
        if len(self.images) < 10:
            raise MetricError(f"a detector needs at least 10 of the user's images, got {len(self.images)}")
        for name in ("images", "logits"):
            if not np.isfinite(getattr(self, name)).all():
                raise MetricError(f"the {name} hold values that are not finite: the model or the input is damaged")

    @property
    def multilabel(self) -> bool:
        """Labels are attributes, not classes."""
        return self.labels.ndim == 2


@dataclass(frozen=True)
class Detector:
    """A named score.

    Attributes:
        name: as in tables.
        access: what it needs of the model: "outputs" or "weights".
        score: evidence -> score, higher = more vicious; deterministic.
    """

    name: str
    access: str
    score: Callable[[Evidence], float]
