"""Identification: is the original the nearest of many images to its reconstruction?

Attacks on privacy are commonly judged so, by a top-k or re-identification rate: of N candidates, the original must be
among the k nearest to the reconstruction. Distances are Euclidean, of pixels. A guess finds it with the chance k / N.

Candidates at the same distance tie. A tie is broken at random, so it counts by what is expected: the mean rank, and the
chance that the original is among the k first. A reconstruction that is the same for all images is at chance exactly,
and copies of an image in the data share their ranks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.metrics.checks import DATA_RANGE, check_axes, check_values
from vicious.metrics.risk import Array
from vicious.system.errors import MetricError

AT_ONCE = 1000
"""Candidates at a time; no result depends on it."""


@dataclass(frozen=True)
class Matches:
    """Where the originals of some reconstructions stand among their candidates. Shapes: (n,), whole numbers.

    Attributes:
        nearer: candidates that are nearer to the reconstruction than the original.
        tied: candidates as near as the original, itself included: at least 1.
        candidates: all of them, the original included.
    """

    nearer: NDArray[np.int64]
    tied: NDArray[np.int64]
    candidates: NDArray[np.int64]

    @property
    def rank(self) -> Array:
        """The original's place by distance, from 1, the nearest, to the number of candidates; (n,). Ties have their
        mean place."""
        return self.nearer + (self.tied + 1) / 2

    def top(self, k: int) -> Array:
        """Chance that the original is among the k nearest where ties are broken at random; (n,), in [0, 1]."""
        return np.clip((k - self.nearer) / self.tied, 0.0, 1.0)


def chance(k: int, candidates: NDArray[np.integer]) -> Array:
    """:meth:`Matches.top` of a guess: min(k / candidates, 1). (n,) -> (n,)."""
    return np.minimum(k / candidates, 1.0)


class Candidates:
    """The images among which originals are sought, and groups of them.

    Squared distances are compared as |x|^2 - 2 x y, without |y|^2, in float64. Those that differ by less than rounding
    can make of equal ones, 4 d^2 eps (1e-8 for d = 3,072), count as tied. Two images of 8 bits that are not the same
    are (1/255)^2 = 1.5e-5 apart or more, so an exact reconstruction finds its original. Memory holds
    :data:`AT_ONCE` candidates in float64, beside the images as they are given.

    Args:
        images: (N, d), bytes from 0 to 255 or floating point in [0, 1]; may be memory-mapped.
        groups: (N,), whole numbers: the group of each image.

    Raises:
        MetricError: no images, other shapes or kinds of numbers, or pixels outside of their range.
    """

    def __init__(self, images: NDArray[Any], groups: NDArray[np.integer]) -> None:
        check_axes(images, "candidates", N=None, d=None)
        if not images.size:
            raise MetricError("no candidates were given")
        if images.dtype != np.uint8:
            check_values(images, "pixels", 0.0, DATA_RANGE)
        check_axes(groups, "groups", N=len(images))
        if groups.dtype.kind not in "iu":
            raise MetricError(f"groups must be whole numbers, got {groups.dtype}")
        self._images, self._groups, self._d = images, groups, images.shape[1]
        _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        self._sizes = sizes[place]
        self._tolerance = 4 * self._d**2 * np.finfo(np.float64).eps

    def find(
        self, reconstructions: Array, originals: NDArray[np.integer], of: NDArray[np.integer] | None = None
    ) -> tuple[Matches, Matches]:
        """Where originals stand among all candidates, and among those of their own group.

        Args:
            reconstructions: (m, d) in [0, 1].
            originals: (n,), which candidates they are.
            of: (n,), which reconstruction each has, where several share one; None: one each, in order.

        Raises:
            MetricError: other shapes, pixels outside [0, 1], or an index that is none.
        """
        check_axes(reconstructions, "reconstructions", n=len(originals) if of is None else None, d=self._d)
        check_values(reconstructions, "pixels", 0.0, DATA_RANGE)
        of = np.arange(len(originals)) if of is None else of
        check_axes(of, "reconstructions of originals", n=len(originals))
        _check_indices(originals, len(self._images), "candidates")
        _check_indices(of, len(reconstructions), "reconstructions")
        y, x = reconstructions.astype(np.float64, copy=False), _pixels(self._images[originals])
        own = (_squares(x) - 2 * np.einsum("ij,ij->i", x, y[of]))[:, None]
        found = np.zeros((2, 2, len(originals)), np.int64)  # among all, in the group; nearer, tied
        for start in range(0, len(self._images), AT_ONCE):
            block = _pixels(self._images[start : start + AT_ONCE])
            differences = _squares(block) - 2 * (y @ block.T)[of] - own
            alike = self._groups[originals][:, None] == self._groups[start : start + AT_ONCE]
            nearer, tied = differences < -self._tolerance, np.abs(differences) <= self._tolerance
            found += [[(one & among).sum(1) for one in (nearer, tied)] for among in (True, alike)]
        (nearer, tied), (nearer_alike, tied_alike) = found
        everyone = np.full(len(originals), len(self._images))
        return Matches(nearer, tied, everyone), Matches(nearer_alike, tied_alike, self._sizes[originals])


def _check_indices(indices: NDArray[np.integer], n: int, what: str) -> None:
    if not indices.size or indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= n:
        raise MetricError(f"expected whole numbers that say which of {n} {what}, got {indices!r}")


def _squares(pixels: Array) -> Array:
    """Squared lengths of rows, (n, d) -> (n,)."""
    return np.asarray(np.einsum("ij,ij->i", pixels, pixels))


def _pixels(images: NDArray[Any]) -> Array:
    """Images as float64 in [0, 1]."""
    return images / 255 if images.dtype == np.uint8 else images.astype(np.float64, copy=False)
