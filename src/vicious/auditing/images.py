"""Images of a user, from a folder, a zip archive or an array, as a model takes them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST = 2000
"""Images that an audit uses unless more are asked for."""


@dataclass(frozen=True)
class Images:
    """A user's images.

    Attributes:
        names: of each: its path below the folder or in the archive; of an array's the row's number.
        pixels: (n, C, H, W) in [0, 1].
        notes: what was left out or assumed, a sentence each.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.float32]
    notes: tuple[str, ...] = ()


def read_images(
    path: Path, channels: int | None = None, height: int | None = None, width: int | None = None, most: int = MOST
) -> Images:
    """Read at most ``most`` images, resized and in the channels that are asked for; None: the images' own, at most
    64 x 64.

    Raises:
        AuditError: nothing there is an image, or something there is none that can be read safely.
    """
    raise NotImplementedError
