"""How a model is trained. Nothing here needs PyTorch, so that a plan can say what a training costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from vicious.system.randomness import derive_seed
from vicious.system.settings import Precision, RateShape

if TYPE_CHECKING:
    import numpy as np

_UNNAMED = ("rate", "augmented", "average")
"""What a record names only where it is not the default: older records do not name it."""


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: passes over the training images, or over those drawn for each.
        batch_images: images in a batch; with their augmented copies twice as many rows.
        learning_rate: of Adam; the largest, where it changes.
        seed: of initial weights, order and augmentation.
        epoch_images: most images of an epoch, drawn anew for each; None: all.
        precision: of the networks' layers while they are trained (:mod:`vicious.models.precision`).
        rate: how the learning rate changes (:mod:`vicious.training.rate`).
        augmented: whether a batch has, beside each image, one augmented copy.
        average: decay of a moving average of the weights (:mod:`vicious.training.average`), in [0, 1); 0: none.
    """

    epochs: int
    batch_images: int
    learning_rate: float
    seed: int
    epoch_images: int | None = None
    precision: Precision = "float32"
    rate: RateShape = "constant"
    augmented: bool = True
    average: float = 0.0

    def order(self, epoch: int, count: int) -> np.ndarray:
        """The images of an epoch, out of ``count``, in the order in which they come."""
        import numpy as np

        generator = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        return generator.permutation(count)[: self.epoch_images]

    def record(self) -> dict[str, Any]:
        """What a model's JSON record says of it."""
        usual = {each.name: each.default for each in fields(self) if each.name in _UNNAMED}
        return {key: value for key, value in asdict(self).items() if key not in usual or value != usual[key]}


def complete(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a schedule, with the defaults of what it does not name."""
    usual = {each.name: each.default for each in fields(Schedule) if each.default is not MISSING}
    return {**usual, **record}
