"""The effective rank of a spectrum: Roy and Vetterli, "The effective rank" (2007)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def effective_rank(energies: NDArray[Any]) -> float:
    """Exponential of the entropy of nonnegative energies (m,), between 1 and m; 0 where all are zero."""
    total = energies.sum()
    if total <= 0:
        return 0.0
    shares = energies[energies > 1e-15 * total] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
