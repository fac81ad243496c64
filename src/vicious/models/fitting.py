"""What an attack model that is fitted in closed form is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(-8, 1))
"""Of ridge regression: tried, times the number of images."""
WIDTHS = tuple(2.0**power for power in range(-3, 6))
"""Of a kernel, squared: tried, times the median squared distance of the landmarks."""


@dataclass(frozen=True)
class Pairs:
    """What an attacker's own images make the target model send, and these images.

    Attributes:
        read: (N, L), what an attack model reads of what was sent.
        images: (N, d), uint8 pixels in [0, 255].
    """

    read: Tensor
    images: Tensor

    def __len__(self) -> int:
        return len(self.read)

    def some(self, chosen: Tensor) -> Pairs:
        """The pairs of these indices (n,)."""
        return Pairs(self.read[chosen], self.images[chosen])

    def pixels(self) -> Tensor:
        """The images as float64 in [0, 1], (N, d)."""
        return self.images.double() / 255
