"""The reconstruction risk R: Mahalanobis distance of guessing the mean image over that of the reconstruction.

    R(x) = M(x, mu) / M(x, x_tilde),   M(a, b) = sqrt((a - b)^T Sigma^-1 (a - b))

with mu and Sigma the mean and covariance of the train and validation images (arXiv 2212.04223). R = 1 is no better than
guessing the mean image; larger is worse for privacy. Sigma is singular for real images, so its inverse is never formed:
one eigendecomposition Sigma = V diag(l) V^T in float64 serves every estimator, and what was kept is reported as a rank.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vicious.metrics.checks import DATA_RANGE, check_axes, check_labels, check_values
from vicious.system.errors import DataError, MetricError
from vicious.system.files import check_regular, write_bytes

Array = NDArray[np.float64]
Estimator = Literal["truncated", "ridge", "ledoit_wolf"]
Kind = Literal["truncated", "ridge", "ledoit_wolf", "identity", "share"]

RISK_CAP = 1e3
"""Largest risk of one image: a perfect reconstruction would be infinite; it is capped here and counted."""

_NEGATIVE_TOLERANCE = 1e-8
_LARGEST_DIFFERENCE = 2.0
"""Guesses by least squares leave [0, 1] a little; pixels from 0 to 255 are far beyond."""


@dataclass(frozen=True)
class Covariance:
    """Mean and eigendecomposition of the covariance of images, float64.

    Attributes:
        mean: (d,), pixels in [0, 1].
        eigenvalues: (d,), descending, not negative.
        eigenvectors: (d, d), in columns, orthonormal.
        images: number n of images behind the estimate; with n <= d it is singular whatever the images are.
        shrinkage: the Ledoit-Wolf intensity in [0, 1].
        label_gram, label_cross: (p, p) and (p, d), products of the labels' features (:func:`label_design`) with
            themselves and with the centred images; :func:`label_images` makes images of them.
        eigenvalues32, eigenvectors32: the same factorisation computed in float32, to see what precision changes.
    """

    mean: Array
    eigenvalues: Array
    eigenvectors: Array
    images: int
    shrinkage: float
    label_gram: Array
    label_cross: Array
    eigenvalues32: NDArray[np.float32]
    eigenvectors32: NDArray[np.float32]

    def single(self) -> "Covariance":
        """This covariance with a mean and a factorisation in float32: arithmetic on it stays in float32."""
        single: Any = (self.mean.astype(np.float32), self.eigenvalues32, self.eigenvectors32)
        return replace(self, mean=single[0], eigenvalues=single[1], eigenvectors=single[2])


def factorise(covariance: Array) -> tuple[Array, Array]:
    """Eigenvalues, descending, and eigenvectors, in columns, of a symmetric matrix, in float64.

    Eigenvalues that rounding made slightly negative become zero.

    Raises:
        MetricError: not square, not symmetric, not finite, or negative beyond rounding.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise MetricError(f"a covariance must be a square matrix, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise MetricError("the covariance holds values that are not finite")
    scale = float(np.abs(matrix).max(initial=0.0))
    if not np.allclose(matrix, matrix.T, rtol=0.0, atol=1e-6 * scale):
        raise MetricError("a covariance must be symmetric")
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    tolerance = max(_NEGATIVE_TOLERANCE, np.finfo(np.asarray(covariance).dtype).eps * 10)
    if values.size and values[0] < -tolerance * max(values[-1], 0.0):
        raise MetricError(f"the covariance has the negative eigenvalue {values[0]:.3g}: it is no covariance")
    return values[::-1].clip(min=0.0), np.ascontiguousarray(vectors[:, ::-1])


def ledoit_wolf_shrinkage(eigenvalues: Array, fourth_moment: float, images: int) -> float:
    """Shrinkage intensity towards the scaled identity (Ledoit and Wolf, 2004, "A well-conditioned estimator ...").

    Args:
        eigenvalues: (d,), of the covariance that divides by n - 1.
        fourth_moment: mean over images of ``||x - mu||^4``.
        images: n.

    Raises:
        MetricError: fewer than two images, or values that are negative or not finite.
    """
    check_axes(eigenvalues, "eigenvalues", d=None)
    check_values(eigenvalues, "eigenvalues", 0.0)
    check_values(np.float64(fourth_moment), "fourth moments", 0.0)
    _check_number(images)
    d = eigenvalues.size
    biased = eigenvalues * (images - 1) / images
    square, mean = float((biased**2).sum()), float(biased.mean())
    beta = (fourth_moment - square) / (d * images)
    delta = square / d - mean**2
    return 0.0 if delta <= 0 else float(min(max(beta, 0.0), delta) / delta)


@dataclass(frozen=True)
class Whitening:
    """An estimator of the covariance's inverse: weights of the squared coordinates along its eigenvectors.

    Attributes:
        estimator: which one, with its setting, in words.
        kind, parameter: the same for programs; the parameter is None for "ledoit_wolf" and "identity".
        weights: (d,), of the squared coordinates along the eigenvectors; 0 where a direction is dropped.
        share: share of the total variance along the directions kept, in [0, 1].
    """

    estimator: str
    kind: Kind
    parameter: float | None
    weights: Array
    share: float

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which directions are kept, (d,)."""
        return self.weights > 0

    @property
    def rank(self) -> int:
        """Number of directions kept."""
        return int(self.kept.sum())


def whiten(covariance: Covariance, estimator: Estimator = "truncated", cutoff: float = 1.2e-7) -> Whitening:
    """The whitening of a covariance estimator.

    Args:
        estimator: "truncated" keeps l > cutoff * d * max(l), which for 1.2e-7 is what a float32 pseudo-inverse keeps;
            "ridge" adds cutoff * mean(l) to every l; "ledoit_wolf" shrinks towards mean(l), and ignores the cut-off.
        cutoff: relative cut-off or ridge, not negative.

    Raises:
        MetricError: the images do not vary at all, or the setting is out of range or so large that nothing is kept.
    """
    values = _varying(covariance)
    if not 0 <= cutoff < np.inf:
        raise MetricError(f"the cut-off must be finite and not negative, got {cutoff}")
    mean = values.mean()
    if estimator == "truncated":
        kept = values > max(cutoff * values.size, 1e-15) * values[0]
        if not kept.any():
            raise MetricError(f"a cut-off of {cutoff:g} keeps no eigenvalue: it must be below 1/{values.size}")
        return _whitening(covariance, f"truncated {cutoff:g}", "truncated", cutoff, kept, values)
    if estimator == "ridge":
        spread = values + cutoff * mean
        return _whitening(covariance, f"ridge {cutoff:g}", "ridge", cutoff, spread > 1e-15 * values[0], spread)
    if estimator == "ledoit_wolf":
        spread = (1 - covariance.shrinkage) * values + covariance.shrinkage * mean
        return _whitening(covariance, "ledoit_wolf", "ledoit_wolf", None, spread > 1e-15 * values[0], spread)
    raise MetricError(f"unknown estimator {estimator!r}: choose truncated, ridge or ledoit_wolf")


def whiten_share(covariance: Covariance, share: float = 0.95) -> Whitening:
    """:func:`whiten` by the fewest leading components that explain at least ``share`` of the variance, in (0, 1]."""
    values = _varying(covariance)
    if not 0 < share <= 1:
        raise MetricError(f"the share of variance must lie in (0, 1], got {share}")
    explained = np.cumsum(values, dtype=np.float64) / values.sum(dtype=np.float64)
    positive = int((values > 1e-15 * values[0]).sum())
    # All is all: rounding hides what the last directions explain, though they matter most to R.
    rank = positive if share == 1 else min(int(np.searchsorted(explained, share * (1 - 1e-12))) + 1, positive)
    return _whitening(covariance, f"share {share:g}", "share", share, np.arange(values.size) < rank, values)


def no_whitening(covariance: Covariance) -> Whitening:
    """Plain distances: R becomes the ratio of the root mean squared errors of guessing and of the reconstruction."""
    values = _varying(covariance)
    return _whitening(covariance, "identity", "identity", None, np.ones(values.size, bool), np.ones_like(values))


def _varying(covariance: Covariance) -> Array:
    """The eigenvalues; raises MetricError where all are zero."""
    values = covariance.eigenvalues
    if not values.size or values[0] <= 0:
        raise MetricError("all images are equal: their covariance is zero and the risk is not defined")
    return values


def _whitening(
    covariance: Covariance, name: str, kind: Kind, parameter: float | None, kept: NDArray[np.bool_], spread: Array
) -> Whitening:
    values = covariance.eigenvalues
    weights = np.zeros_like(values)
    weights[kept] = 1 / spread[kept]
    share = float(values[kept].sum(dtype=np.float64) / values.sum(dtype=np.float64))
    return Whitening(name, kind, parameter, weights, share)


def energies(differences: Array, covariance: Covariance) -> Array:
    """Squared coordinates along the eigenvectors: all that any whitening of this covariance needs of a difference.

    Shapes: (n, d) -> (n, d). Precision is that of the arguments.

    Raises:
        MetricError: another shape, values that are not finite, or too large for differences of pixels in [0, 1].
    """
    check_axes(differences, "differences", n=None, d=covariance.mean.size)
    largest = np.maximum(differences.max(initial=0.0), -differences.min(initial=0.0))
    if not largest <= _LARGEST_DIFFERENCE:
        raise MetricError(
            f"differences of pixels in [0, 1] are finite and at most 1, found {largest:.6g}: divide 8-bit pixels by 255"
        )
    projected = differences @ covariance.eigenvectors
    return np.square(projected, out=projected)


def distances(energy: Array, whitenings: Iterable[Whitening]) -> list[Array]:
    """Mahalanobis distances under each of some whitenings, from the energies of the differences; in their precision.

    Shapes: (n, d) -> (n,) for each.

    Raises:
        MetricError: another shape, or values that are negative or not finite: they are no energies.
    """
    check_values(energy, "energies", 0.0)
    found = []
    for whitening in whitenings:
        check_axes(energy, "energies", n=None, d=whitening.weights.size)
        found.append(np.sqrt(energy @ whitening.weights))
    return found


def risk_of_distances(guess: Array, error: Array) -> Array:
    """Reconstruction risk R of each image, from the distances of x to mu and of x to x_tilde; in their own precision.

    A perfect reconstruction gets :data:`RISK_CAP`, or 1 if the image is the mean itself: then guessing is as good.

    Shapes: (n,), (n,) -> (n,). Range [0, RISK_CAP].

    Raises:
        MetricError: shapes that differ.
    """
    check_axes(error, "distances", n=len(guess))
    ratio = np.where(guess > 0, np.full_like(guess, RISK_CAP), np.ones_like(guess))
    np.divide(guess, error, out=ratio, where=error > 0)
    return np.minimum(ratio, RISK_CAP)


def risk_of_energies(guess: Array, error: Array, whitening: Whitening) -> Array:
    """:func:`risk_of_distances` from the energies of x - mu and of x - x_tilde, (n, d) each; raises as it and
    :func:`distances`."""
    return risk_of_distances(*(distances(energy, [whitening])[0] for energy in (guess, error)))


def label_design(labels: NDArray[np.integer], outputs: int) -> Array:
    """Features of labels for the label-only baseline: one-hot classes (n,) -> (n, outputs), or attributes with a
    constant, (n, K) in {0, 1} -> (n, 1 + K).

    Raises:
        MetricError: labels that are none of these outputs.
    """
    check_labels(labels, None, outputs)
    if labels.ndim == 1:
        return np.asarray(np.eye(outputs)[labels])
    return np.hstack([np.ones((len(labels), 1)), labels.astype(np.float64)])


def fit_covariance(
    mean: Array, covariance: Array, images: int, batches: Iterable[tuple[Array, NDArray[np.integer]]], outputs: int
) -> Covariance:
    """Factorise a covariance and fit what else needs one more pass over the same images.

    Args:
        mean, covariance: (d,) and (d, d) of the images.
        images: their number n.
        batches: the images (m, d) in [0, 1] with their labels, once more.
        outputs: number of classes or attributes.

    Raises:
        MetricError: no covariance, shapes that do not fit, pixels outside [0, 1], labels that are none of the outputs,
            fewer than two images, or another number of them than ``images``.
    """
    _check_number(images)
    check_axes(mean, "the mean", d=len(covariance))
    check_values(mean, "pixels of the mean", 0.0, DATA_RANGE)
    values, vectors = factorise(covariance)
    values32, vectors32 = np.linalg.eigh(covariance.astype(np.float32))
    seen, fourth, gram, cross = 0, 0.0, np.zeros(()), np.zeros(())
    for rows, labels in batches:
        check_axes(rows, "images", m=len(labels), d=mean.size)
        check_values(rows, "pixels", 0.0, DATA_RANGE)
        seen += len(rows)
        centred = rows - mean
        fourth += float(((centred**2).sum(1) ** 2).sum())
        design = label_design(labels, outputs)
        gram = gram + design.T @ design
        cross = cross + design.T @ centred
    if seen != images:
        raise MetricError(f"the batches hold {seen} images, not {images}")
    return Covariance(
        mean=mean,
        eigenvalues=values,
        eigenvectors=vectors,
        images=images,
        shrinkage=ledoit_wolf_shrinkage(values, fourth / images, images),
        label_gram=gram,
        label_cross=cross,
        eigenvalues32=values32[::-1].clip(min=0.0),
        eigenvectors32=np.ascontiguousarray(vectors32[:, ::-1]),
    )


def label_images(
    covariance: Covariance, used: Sequence[int] | None, multilabel: bool, groups: Sequence[int] | None = None
) -> Array:
    """Least-squares images for labels: what a label alone tells of an image.

    For classes the mean image of each (an unseen class gets the overall mean); for attributes a constant image first,
    then what each attribute adds, so that ``label_design(labels, K) @ label_images(...)`` is the best guess either way.

    Args:
        used: the classes or attributes of the task; None for all.
        groups: for each class, the group that the task merges it into; None where classes are not merged.

    Returns:
        (K, d) for classes or groups, (1 + K, d) for attributes.

    Raises:
        MetricError: ``used`` names none or one that there is not, or ``groups`` are not of all classes.
    """
    known = len(covariance.label_gram) - multilabel
    if groups is not None:
        if used is not None or multilabel or len(groups) != known:
            raise MetricError(f"groups must be of all {known} classes, got {len(groups)}")
        member = np.eye(max(groups) + 1)[list(groups)]
        gram, cross = member.T @ covariance.label_gram @ member, member.T @ covariance.label_cross
        return np.asarray(np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ cross + covariance.mean)
    if used is not None and not (len(used) and all(0 <= one < known for one in used)):
        raise MetricError(f"the task must use some of {known} classes or attributes, got {list(used)}")
    rows = np.arange(len(covariance.label_gram)) if used is None else np.asarray(used) + multilabel
    if multilabel and used is not None:
        rows = np.concatenate([[0], rows])
    gram, cross = covariance.label_gram[np.ix_(rows, rows)], covariance.label_cross[rows]
    images = np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ cross
    images[: 1 if multilabel else None] += covariance.mean
    return images


def _check_number(images: int) -> None:
    if images < 2:
        raise MetricError(f"a covariance needs at least two images, got {images}")


def _check_factorised(one: Covariance) -> None:
    """Raise a MetricError unless shapes, kinds and values are those of a factorised covariance of images in [0, 1]."""
    d, p = one.mean.size, len(np.atleast_1d(one.label_gram))
    check_axes(one.mean, "the mean", d=None)
    check_values(one.mean, "pixels of the mean", 0.0, DATA_RANGE)
    check_axes(one.label_gram, "label_gram", p=p, features=p)
    check_axes(one.label_cross, "label_cross", p=p, d=d)
    for values, vectors, kind in (
        (one.eigenvalues, one.eigenvectors, np.float64),
        (one.eigenvalues32, one.eigenvectors32, np.float32),
    ):
        check_axes(values, "eigenvalues", d=d)
        check_axes(vectors, "eigenvectors", d=d, columns=d)
        if values.dtype != kind or vectors.dtype != kind:
            raise MetricError(f"the factorisation must be in {np.dtype(kind)}, found {values.dtype}, {vectors.dtype}")
        check_values(values, "eigenvalues", 0.0)
        check_values(vectors, "eigenvectors", -2.0, 2.0)
        if (np.diff(values) > 0).any():
            raise MetricError("the eigenvalues do not descend")
        probe: Any = np.random.default_rng(0).normal(size=(4, d)).astype(kind)
        if not np.allclose((probe @ vectors) @ vectors.T, probe, rtol=0, atol=_ORTHONORMAL[kind]):
            raise MetricError("the eigenvectors are not orthonormal")
    for values, name in ((one.label_gram, "label_gram"), (one.label_cross, "label_cross")):
        check_values(values, name)
    if one.images < 2 or not 0 <= one.shrinkage <= 1:
        raise MetricError(f"it tells of {one.images} images and a shrinkage of {one.shrinkage:g}")


_NO_COVARIANCE = OSError, KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError, MetricError
_ORTHONORMAL = {np.float64: 1e-6, np.float32: 1e-2}
_ARRAYS = ("mean", "eigenvalues", "eigenvectors", "label_gram", "label_cross", "eigenvalues32", "eigenvectors32")


def save_covariance(covariance: Covariance, path: Path, fingerprint: str) -> None:
    """Write the covariance of the prepared dataset with this fingerprint, as safetensors."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(getattr(covariance, name)) for name in _ARRAYS}
    arrays |= {"images": np.array([covariance.images]), "shrinkage": np.array([covariance.shrinkage])}
    write_bytes(path, save(arrays, metadata={"data": fingerprint}))


def load_covariance(path: Path, fingerprint: str) -> Covariance:
    """Read the covariance of the prepared dataset with this fingerprint.

    Raises:
        DataError: the file is missing or damaged, is of another dataset, or what it holds is no factorised covariance.
    """
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        with safe_open(path, framework="numpy") as file:
            of = (file.metadata() or {}).get("data")
            arrays = {name: file.get_tensor(name) for name in (*_ARRAYS, "images", "shrinkage")}
        whole = {name: arrays[name] for name in _ARRAYS}
        found = Covariance(images=int(arrays["images"][0]), shrinkage=float(arrays["shrinkage"][0]), **whole)
        _check_factorised(found)
    except (*_NO_COVARIANCE, SafetensorError) as error:
        raise DataError(f"{path} is missing or damaged ({error}): run `vicious fit-covariance` again") from None
    if of != fingerprint:
        raise DataError(f"{path} is of other data than the models: use that of their dataset, or fit it again")
    return found
