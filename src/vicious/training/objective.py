"""What an objective of training is: the base of the training jobs' own."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from vicious.data.batches import Held
from vicious.system.settings import Precision

Row = dict[str, float]


class Objective(ABC):
    """What is trained and how it is judged.

    Attributes:
        modules: the models whose weights change, by name, each with its own Adam.
        precision: in which the loss computes them; they are judged in float32, as they will be used.
        weight_decay: decoupled from the gradient.
        last: the weights of the last epoch are selected, whatever its score.
        repeatable: a step depends on its batch and on the weights alone, so that it can be recorded and replayed.
    """

    weight_decay = 0.0
    last = False
    repeatable = True

    def __init__(self, modules: dict[str, nn.Module], precision: Precision) -> None:
        self.modules, self.precision = modules, precision

    @property
    def device(self) -> torch.device:
        """Where the models are."""
        return next(next(iter(self.modules.values())).parameters()).device

    @abstractmethod
    def loss(self, rows: Tensor, labels: Tensor, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to minimise, and named terms for the curve, all of them scalars, the terms without a gradient.

        Args:
            rows: (N, C, 32, 32), training images, and their augmented copies, if there are any, after them.
            labels: (N,) or (N, K).
            index: (n,), which of the training images they are.
        """

    @abstractmethod
    def validate(self, images: Tensor, labels: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Tensors (n,), a number per image, out of "accuracy", "ssim", "mse"; ``index``: of the validation images."""

    def open(self, train: Held, validation: Held, passes: float) -> None:  # noqa: B027 (some have nothing to do)
        """Called once before training, with the images and how often each training image comes, on average."""

    def begin(self, epoch: int) -> None:  # noqa: B027 (as open)
        """Called before each epoch: what its steps leave behind begins anew, as in a resumed training."""

    def carried(self) -> dict[str, Tensor]:
        """What a step leaves behind for the next one of its epoch, by name; no later step may change these tensors."""
        return {}

    def restore(self, carried: dict[str, Tensor]) -> None:  # noqa: B027 (as open)
        """Take that back, from the CPU, after :meth:`begin`."""
