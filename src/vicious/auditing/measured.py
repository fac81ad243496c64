"""How close reconstructions are to the originals: the study's measures, with intervals over images, and what a guess
gets."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.decode import Decoded
from vicious.defense.detector import Array
from vicious.metrics.bootstrap import interval
from vicious.metrics.identification import Candidates
from vicious.metrics.measures.psnr import psnr
from vicious.metrics.measures.ssim import WINDOW_SIDE, ssim
from vicious.metrics.risk import risk_of_distances

AMONG = 100
"""Images among which an original is sought, itself included; with fewer at hand, all."""
SHARE = 0.95
"""Of the variance, along whose leading directions the risk is taken, as R95 of the study."""


@dataclass(frozen=True)
class Measure:
    """A mean over images, and what guesses get.

    Attributes:
        name: ``psnr`` in dB, ``ssim``, ``risk95``, or ``identified``, a share.
        value: of reconstructions from the outputs, with the ends of its 95% interval over images, ``low`` and ``high``.
        of_label: of the mean image of the predicted label.
        of_mean: of the mean image.
    """

    name: str
    value: float
    low: float
    high: float
    of_label: float
    of_mean: float


@dataclass(frozen=True)
class Measures:
    """All measures of some reconstructions.

    Attributes:
        found: one for each measure that these images have.
        among: how many images the original is sought among, itself included.
        by_image: (n,), share of the mean's squared error that the reconstruction saves: to choose examples.
    """

    found: tuple[Measure, ...]
    among: int
    by_image: Array


def measure(decoded: Decoded, pixels: Array, shape: tuple[int, int, int]) -> Measures:
    """Measure reconstructions of images (n, d) of this shape (channels, height, width)."""
    among = min(AMONG, int(np.bincount(decoded.fold).min()))
    measures: dict[str, Callable[[Array], Array]] = {"psnr": lambda one: _image(psnr, one, pixels, shape)}
    if min(shape[1:]) >= WINDOW_SIDE:
        measures["ssim"] = lambda one: _image(ssim, one, pixels, shape)
    if (directions := _directions(decoded, pixels)) is not None:
        measures["risk95"] = lambda one: _risk(one, pixels, decoded, directions)
    measures["identified"] = lambda one: _identified(one, pixels, decoded, among)
    found = []
    for name, taken in measures.items():
        values = taken(decoded.images)
        guesses = (float(taken(one).mean()) for one in (decoded.of_label, decoded.mean))
        found.append(Measure(name, float(values.mean()), *interval(values), *guesses))
    errors = [((one - pixels) ** 2).sum(1) for one in (decoded.images, decoded.mean)]
    saved = 1 - errors[0] / np.maximum(errors[1], 1e-12)
    return Measures(tuple(found), among, saved)


def _image(of: Callable[..., object], one: Array, pixels: Array, shape: tuple[int, int, int]) -> Array:
    return np.asarray(of(one.reshape(-1, *shape), pixels.reshape(-1, *shape)), dtype=np.float64)


def _directions(decoded: Decoded, pixels: Array) -> list[Array] | None:
    """For each half the map (d, r) to the leading directions of the half that teaches, each of unit variance there.

    As :func:`vicious.metrics.risk.whiten_share` does with a covariance of all pixels, found among as many numbers as
    images. None where these do not vary.
    """
    found = []
    for held in range(int(decoded.fold.max()) + 1):
        rest = pixels[decoded.fold != held]
        centred = rest - rest.mean(0)
        values, vectors = np.linalg.eigh(centred @ centred.T)
        values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
        if values[0] <= 1e-12 * max(1.0, float((rest**2).sum())):
            return None
        rank = int(np.searchsorted(np.cumsum(values) / values.sum(), SHARE)) + 1
        found.append(centred.T @ vectors[:, :rank] / values[:rank] * np.sqrt(len(rest) - 1))
    return found


def _risk(one: Array, pixels: Array, decoded: Decoded, directions: list[Array]) -> Array:
    """R95 of each image, by the images that teach its decoder."""
    found = np.empty(len(one))
    for held, whitened in enumerate(directions):
        asked = decoded.fold == held
        guess, error = (
            np.linalg.norm((pixels[asked] - other[asked]) @ whitened, axis=1) for other in (decoded.mean, one)
        )
        found[asked] = risk_of_distances(guess, error)
    return found


def _identified(one: Array, pixels: Array, decoded: Decoded, among: int) -> Array:
    """Chance that the original is the nearest to its reconstruction among so many images that no decoder saw."""
    found = np.empty(len(one))
    for held in range(int(decoded.fold.max()) + 1):
        asked = np.flatnonzero(decoded.fold == held)
        candidates = Candidates(pixels[asked], np.zeros(len(asked), np.int64))
        matches, _ = candidates.find(one[asked], np.arange(len(asked)))
        found[asked] = _first_of(matches.nearer, matches.tied, len(asked), among)
    return found


def _first_of(nearer: NDArray[np.int64], tied: NDArray[np.int64], candidates: int, among: int) -> Array:
    """Chance to be the first of ``among`` images: the original and others drawn from the candidates, (n,) -> (n,).

    None of the nearer ones may be drawn, and of those tied with it that are drawn the original wins one in as many.
    """
    others, drawn = candidates - 1, among - 1
    chance = np.zeros(len(nearer))
    for row, (closer, equal) in enumerate(zip(nearer.tolist(), (tied - 1).tolist(), strict=True)):
        free = others - closer - equal  # farther than the original
        chance[row] = sum(
            math.comb(equal, k) * math.comb(free, drawn - k) / (k + 1)
            for k in range(min(equal, drawn) + 1)
            if drawn >= k
        ) / math.comb(others, drawn)
    return chance
