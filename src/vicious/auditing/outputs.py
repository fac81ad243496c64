"""Outputs and labels that a user has stored, a row for each image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outputs:
    """Stored outputs.

    Attributes:
        values: (n, K), a row for each image, in their order; finite.
        notes: how rows were matched with images, a sentence each.
    """

    values: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_outputs(path: Path, names: Sequence[str]) -> Outputs:
    """Read the outputs of the images ``names``.

    Raises:
        AuditError: rows and images do not belong together, or a value is no finite number.
    """
    raise NotImplementedError


def read_labels(path: Path, names: Sequence[str], classes: int) -> NDArray[np.int64]:
    """Read the labels of the images ``names``: classes (n,) from 0 to ``classes`` - 1, or 0/1 attributes
    (n, classes).

    Raises:
        AuditError: rows and images do not belong together, or a value is no label.
    """
    raise NotImplementedError
