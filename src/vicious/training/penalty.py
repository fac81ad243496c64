"""What an adaptive penalty is: a vicious server's penalty, in training, on what a user's detector would find.

It is the detector's own quantity beyond the true label, not beyond the predicted one as for the user: the server knows
it, and so the penalty leaves the classification alone.

The penalty's weight grows from 0 in the first epoch to its full size in the last. Before the model separates the
classes, what separates them also separates images of one class, and the penalty would keep it from learning them.
"""

from typing import Protocol

from torch import Tensor
from torch.nn import functional

from vicious.system.registry import find

PACKAGE = "vicious.training.penalties"
SIDE = 8
"""Images are averaged to this side: a linear decoder finds little that is finer, and it hardly changes distances."""


class Penalty(Protocol):
    """A penalty of one epoch, with what it remembers of earlier batches."""

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """A scalar with a gradient. Shapes: logits (N, K), labels (N,) or (N, K), images (N, C, H, W)."""

    def carried(self) -> dict[str, Tensor]:
        """What it remembers, by name; later batches replace these tensors and never change them."""

    def restore(self, carried: dict[str, Tensor]) -> None:
        """Remember that, on the device of the batches to come."""


def new_penalty(evades: str) -> Penalty:
    """A penalty against the detector ``evades``, a name out of :data:`PACKAGE`: made anew for each epoch."""
    made: Penalty = find(PACKAGE, evades, "PENALTY").PENALTY()
    return made


def coarse(images: Tensor) -> Tensor:
    """Images (N, C, H, W) averaged to :data:`SIDE`, as rows (N, d)."""
    return functional.adaptive_avg_pool2d(images, SIDE).flatten(1)


def regular(squares: Tensor) -> Tensor:
    """A matrix of squares that can be inverted even where a feature is constant, or the others determine it."""
    return squares + (1e-9 * squares.diagonal() + 1e-12).diag()
