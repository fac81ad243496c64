"""What an attack model that is fitted in closed form, or conditioned, is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(-8, 1))
"""Of ridge regression: tried, times the number of images."""
WIDTHS = tuple(2.0**power for power in range(-3, 6))
"""Of a kernel, squared: tried, times the median squared distance of the landmarks."""


def components_flops(images: int, pixels: int, most: int) -> float:
    """FLOPs of the leading principal components of images: the covariance, its reduction to a tridiagonal matrix, and
    the eigenvectors that are kept (Golub and Van Loan, "Matrix Computations", sections 8.3 and 8.4)."""
    return 2.0 * images * pixels**2 + 4 / 3 * pixels**3 + 4.0 * pixels**2 * most


@dataclass(frozen=True)
class Pairs:
    """What an attacker's own images make the target model send, and these images.

    Attributes:
        read: (N, L), what an attack model reads of what was sent.
        images: (N, d), uint8 pixels in [0, 255].
        probabilities: of classes or of attributes, where nothing else is read and no logarithm of them; else None.
    """

    read: Tensor
    images: Tensor
    probabilities: Literal["classes", "attributes"] | None = None

    def __len__(self) -> int:
        return len(self.read)

    def some(self, chosen: Tensor) -> Pairs:
        """The pairs of these indices (n,)."""
        return Pairs(self.read[chosen], self.images[chosen], self.probabilities)

    def pixels(self) -> Tensor:
        """The images as float64 in [0, 1], (N, d)."""
        return self.images.double() / 255
