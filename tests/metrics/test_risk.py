"""The reconstruction risk, against plain numpy and scikit-learn."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from vicious.metrics.estimators import estimators
from vicious.metrics.risk import (
    RISK_CAP,
    Covariance,
    Estimator,
    distances,
    energies,
    factorise,
    fit_covariance,
    label_images,
    ledoit_wolf_shrinkage,
    load_covariance,
    no_whitening,
    risk_of_distances,
    risk_of_energies,
    save_covariance,
    whiten,
    whiten_share,
)
from vicious.system.errors import DataError, MetricError


def mahalanobis(a: Any, b: Any, covariance: Any, whitening: Any) -> Any:
    """Distances by the whitening's matrix: the eigenvectors that are kept, over the roots of their eigenvalues."""
    matrix = covariance.eigenvectors[:, whitening.kept] * np.sqrt(whitening.weights[whitening.kept])
    return np.linalg.norm((a - b) @ matrix, axis=1)


def risk(x: Any, reconstruction: Any, covariance: Any, whitening: Any) -> np.ndarray:
    """R by :func:`energies`, as assessments compute it."""
    guess, error = energies(x - covariance.mean, covariance), energies(x - reconstruction, covariance)
    return risk_of_energies(guess, error, whitening)


def images(n: int = 400, d: int = 12, seed: int = 0, constant: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    x = np.clip(0.5 + generator.normal(0, 0.1, (n, d)) @ (generator.normal(0, 1, (d, d)) / 2), 0, 1)
    x[:, :constant] = 0.25
    return x


def fitted(x: Any, outputs: int = 3) -> Covariance:
    labels = np.arange(len(x)) % outputs
    halves = list(zip(np.array_split(x, 2), np.array_split(labels, 2), strict=True))
    return fit_covariance(x.mean(0), np.cov(x, rowvar=False), len(x), halves, outputs)


def test_equals_the_definition_where_the_covariance_is_regular() -> None:
    x = images()
    y = np.clip(x + np.random.default_rng(1).normal(0, 0.1, x.shape), 0, 1)
    inverse = np.linalg.inv(np.cov(x, rowvar=False))

    def distance(a: Any, b: Any) -> Any:
        return np.sqrt(np.einsum("ni,ij,nj->n", a - b, inverse, a - b))

    expected = distance(x, x.mean(0)) / distance(x, y)
    covariance = fitted(x)
    assert risk(x, y, covariance, whiten(covariance, "truncated", 0.0)) == pytest.approx(expected, rel=1e-9)
    assert risk(x, y, covariance, whiten_share(covariance, 1.0)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("cutoff", [1e-6, 1e-4, 1e-2])
def test_truncation_is_the_pseudo_inverse_with_that_cutoff(cutoff: float) -> None:
    x = images(d=20, constant=5)
    y = images(d=20, constant=5, seed=3)
    covariance = fitted(x)
    sigma = np.cov(x, rowvar=False)
    inverse = np.linalg.pinv(sigma, rcond=cutoff * 20, hermitian=True)
    difference = x - y
    expected = np.sqrt(np.einsum("ni,ij,nj->n", difference, inverse, difference).clip(0))
    assert mahalanobis(x, y, covariance, whiten(covariance, "truncated", cutoff)) == pytest.approx(expected, rel=1e-6)


def test_ridge_equals_the_inverse_of_the_loaded_covariance() -> None:
    x, y = images(constant=3), images(seed=3)
    sigma = np.cov(x, rowvar=False)
    loaded = np.linalg.inv(sigma + 0.1 * np.trace(sigma) / 12 * np.eye(12))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", x - y, loaded, x - y))
    covariance = fitted(x)
    assert mahalanobis(x, y, covariance, whiten(covariance, "ridge", 0.1)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(400, 12), (30, 50)])
def test_ledoit_wolf_agrees_with_scikit_learn(n: int, d: int) -> None:
    x, y = images(n, d), images(n, d, seed=3)
    reference = LedoitWolf().fit(x)
    covariance = fitted(x)
    assert covariance.shrinkage == pytest.approx(reference.shrinkage_, rel=1e-9)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", x - y, reference.precision_, x - y))
    # scikit-learn shrinks the covariance that divides by n, ours by n - 1
    found = mahalanobis(x, y, covariance, whiten(covariance, "ledoit_wolf")) * np.sqrt(n / (n - 1))
    assert found == pytest.approx(expected, rel=1e-6)


def test_float32_and_float64_agree_for_the_same_cutoff() -> None:
    x = images(d=30, constant=6)
    y = images(d=30, constant=6, seed=9)
    covariance = fitted(x)
    single = covariance.single()
    x32: Any = x.astype(np.float32)
    y32: Any = y.astype(np.float32)
    cases: tuple[tuple[Estimator, float], ...] = (("truncated", 1e-4), ("ridge", 1e-2))
    for estimator, cutoff in cases:
        double = risk(x, y, covariance, whiten(covariance, estimator, cutoff))
        whitening = whiten(single, estimator, cutoff)
        assert whitening.rank == whiten(covariance, estimator, cutoff).rank
        found = risk_of_energies(energies(x32 - single.mean, single), energies(x32 - y32, single), whitening)
        assert found.dtype == np.float32, "nothing is quietly computed in float64"
        assert found == pytest.approx(double, rel=1e-3)


def test_energies_serve_every_estimator_alike() -> None:
    x, y = images(d=20, constant=4), images(d=20, constant=4, seed=3)
    covariance = fitted(x)
    guess, error = energies(x - covariance.mean, covariance), energies(x - y, covariance)
    every = estimators(covariance)
    for whitening, one, other in zip(every, distances(guess, every), distances(error, every), strict=True):
        assert one == pytest.approx(mahalanobis(x, covariance.mean, covariance, whitening), rel=1e-9)
        assert other == pytest.approx(mahalanobis(x, y, covariance, whitening), rel=1e-9)
        np.testing.assert_array_equal(risk_of_distances(one, other), risk_of_energies(guess, error, whitening))
    identity = np.linalg.norm(x - covariance.mean, axis=1) / np.linalg.norm(x - y, axis=1)
    assert risk_of_energies(guess, error, no_whitening(covariance)) == pytest.approx(identity)
    names = [whitening.estimator for whitening in estimators(covariance)]
    assert len(set(names)) == len(names)


def test_guessing_the_mean_has_risk_one_and_better_guesses_more() -> None:
    x = images()
    covariance = fitted(x)
    for whitening in (whiten(covariance), whiten_share(covariance)):
        assert risk(x, np.broadcast_to(covariance.mean, x.shape), covariance, whitening) == pytest.approx(1.0)
        half = (x + covariance.mean) / 2
        assert risk(x, half, covariance, whitening) == pytest.approx(2.0)


def test_perfect_reconstructions_are_capped_and_the_mean_as_image_is_defined() -> None:
    x = images()
    covariance = fitted(x)
    whitening = whiten(covariance)
    assert (risk(x, x, covariance, whitening) == RISK_CAP).all()
    mean = covariance.mean[None]
    assert risk(mean, mean, covariance, whitening).tolist() == [1.0]
    assert risk(mean, x[:1], covariance, whitening).tolist() == [0.0]


def test_rank_and_share_are_reported() -> None:
    covariance = fitted(images(d=20, constant=5))
    assert whiten(covariance, "truncated", 1e-9).rank == 15
    assert whiten(covariance, "ridge", 1e-3).rank == 20
    share = whiten_share(covariance, 0.8)
    values = covariance.eigenvalues / covariance.eigenvalues.sum()
    assert values[: share.rank].sum() >= 0.8 > values[: share.rank - 1].sum()
    assert share.share == pytest.approx(values[: share.rank].sum())


def test_the_whole_variance_is_every_direction_however_small() -> None:
    x = images(400, 20).reshape(400, -1).astype(np.float64)
    scales = np.logspace(0, -6, 20)
    covariance = fitted((x - x.mean(0)) * scales / 2 + 0.5)
    assert whiten_share(covariance, 1.0).rank == 20
    assert whiten_share(covariance, 0.999).rank < 10


def test_fewer_images_than_pixels_stay_finite() -> None:
    x = images(10, 40)
    covariance = fitted(x)
    assert covariance.images < covariance.mean.size
    assert whiten(covariance).rank <= 9
    assert np.isfinite(risk(x, images(10, 40, seed=4), covariance, whiten(covariance))).all()


def test_label_means_are_class_means_and_unseen_classes_get_the_mean() -> None:
    x = images()
    covariance = fitted(x, outputs=3)
    for label in range(3):
        assert label_images(covariance, None, False)[label] == pytest.approx(x[np.arange(400) % 3 == label].mean(0))
    some = label_images(covariance, (0, 2), False)
    assert some == pytest.approx(label_images(covariance, None, False)[[0, 2]])
    labels = np.zeros(400, dtype=np.int64)
    unseen = fit_covariance(x.mean(0), np.cov(x, rowvar=False), 400, [(x, labels)], 2)
    assert label_images(unseen, None, False)[1] == pytest.approx(x.mean(0))


def test_label_means_of_merged_classes_are_those_of_their_images() -> None:
    x = images()
    labels = np.random.default_rng(2).integers(4, size=400)  # classes of unlike sizes
    covariance = fit_covariance(x.mean(0), np.cov(x, rowvar=False), 400, [(x, labels)], 5)  # the last is never seen
    groups = np.array([1, 0, 1, 0, 2])
    found = label_images(covariance, None, False, groups.tolist())
    for group in range(2):
        assert found[group] == pytest.approx(x[groups[labels] == group].mean(0))
    assert found[2] == pytest.approx(x.mean(0))
    with pytest.raises(MetricError, match="groups must be of all 5 classes, got 3"):
        label_images(covariance, None, False, (0, 1, 0))


def test_attribute_baseline_is_least_squares() -> None:
    x = images()
    bits = (x[:, :3] > 0.5).astype(np.uint8)
    covariance = fit_covariance(x.mean(0), np.cov(x, rowvar=False), 400, [(x, bits)], 3)
    design = np.hstack([np.ones((400, 1)), bits])
    expected = design @ np.linalg.lstsq(design, x, rcond=None)[0]
    assert design @ label_images(covariance, None, True) == pytest.approx(expected)
    some = design[:, [0, 1, 3]]
    expected = some @ np.linalg.lstsq(some, x, rcond=None)[0]
    assert some @ label_images(covariance, (0, 2), True) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "not finite"),
        (np.diag([1.0, -0.5]), "negative"),
    ],
)
def test_what_is_no_covariance_is_refused(matrix: Any, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        factorise(matrix)


def test_rounding_below_zero_is_clipped() -> None:
    assert factorise(np.diag([1.0, -1e-12]))[0].tolist() == [1.0, 0.0]


def test_images_without_variance_and_odd_settings_are_refused() -> None:
    flat = replace(fitted(images(d=3)), eigenvalues=np.zeros(3))
    with pytest.raises(MetricError, match="all images are equal"):
        whiten(flat)
    with pytest.raises(MetricError, match="all images are equal"):
        whiten_share(flat)
    covariance = fitted(images())
    with pytest.raises(MetricError, match="share"):
        whiten_share(covariance, 1.5)
    with pytest.raises(MetricError, match="cut-off"):
        whiten(covariance, "ridge", -1.0)
    with pytest.raises(MetricError, match="unknown estimator"):
        whiten(covariance, "inverse")  # type: ignore[arg-type]


def test_survives_the_disk_and_names_a_damaged_file(tmp_path: Path) -> None:
    covariance = fitted(images())
    path = tmp_path / "covariance.safetensors"
    save_covariance(covariance, path, "data")
    again = load_covariance(path, "data")
    for name in ("mean", "eigenvalues", "eigenvectors", "label_gram", "label_cross", "eigenvectors32"):
        assert np.array_equal(getattr(again, name), getattr(covariance, name))
    assert (again.images, again.shrinkage) == (400, covariance.shrinkage)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"covariance\.safetensors is missing or damaged"):
        load_covariance(path, "data")


@pytest.mark.parametrize("bad", [np.zeros((3, 1, 3, 4)), np.zeros((3, 11)), np.zeros(12), np.full((3, 12), np.nan)])
def test_energies_of_what_are_no_rows_of_finite_differences_are_refused(bad: Any) -> None:
    with pytest.raises(MetricError, match="differences"):
        energies(bad, fitted(images()))


def test_the_risk_of_pixels_from_0_to_255_is_refused() -> None:
    with pytest.raises(MetricError, match="divide 8-bit pixels by 255"):
        energies(255 * images() - fitted(images()).mean, fitted(images()))


GOOD = images()
BAD_ENERGIES = {
    "images": np.zeros((400, 1, 3, 4)),
    "fewer rows": np.zeros((399, 12)),
    "fewer columns": np.zeros((400, 11)),
    "negative": np.full((400, 12), -1.0),
    "not a number": np.full((400, 12), np.nan),
    "whole numbers": np.zeros((400, 12), int),
}


@pytest.mark.parametrize("kind", BAD_ENERGIES)
def test_the_risk_of_what_are_no_energies_is_refused(kind: str) -> None:
    covariance = fitted(GOOD)
    good, bad, whitening = energies(GOOD - covariance.mean, covariance), BAD_ENERGIES[kind], whiten(covariance)
    for guess, error in ((good, bad), (bad, good)):
        with pytest.raises(MetricError, match=r"energies must|distances must have the shape"):
            risk_of_energies(guess, error, whitening)


LABELS = np.arange(400) % 3
BAD_FITS: dict[str, tuple[dict[str, Any], str]] = {
    "pixels from 0 to 255": ({"rows": 255 * GOOD}, "pixels must lie in"),
    "bytes": ({"rows": (255 * GOOD).astype(np.uint8)}, "floating point"),
    "images": ({"rows": GOOD.reshape(400, 1, 3, 4)}, "images must have the shape"),
    "another mean": ({"mean": np.zeros(11)}, r"the mean must have the shape \(d = 12\)"),
    "a mean from 0 to 255": ({"mean": np.full(12, 128.0)}, "pixels of the mean"),
    "a rectangle": ({"covariance": np.zeros((12, 11))}, "square"),
    "too few labels": ({"labels": LABELS[:399]}, "images must have the shape"),
    "a class too many": ({"labels": LABELS + 1}, r"labels must lie in \[0, 2\], found minimum 1 and maximum 3"),
    "a negative class": ({"labels": LABELS - 1}, "labels must lie in"),
    "labels of floats": ({"labels": LABELS / 2}, "whole numbers"),
    "attributes from 0 to 2": ({"labels": np.stack([LABELS] * 3, 1)}, r"labels must lie in \[0, 1\]"),
    "another number of attributes": ({"labels": np.zeros((400, 4), int)}, r"labels must have the shape \(n, K = 3\)"),
    "another number of images": ({"images": 500}, "the batches hold 400 images, not 500"),
    "one image": ({"images": 1}, "at least two images, got 1"),
}


@pytest.mark.parametrize("kind", BAD_FITS)
def test_a_covariance_of_what_are_no_images_is_refused(kind: str) -> None:
    changed, message = BAD_FITS[kind]
    mean, covariance = GOOD.mean(0), np.cov(GOOD, rowvar=False)
    given = {"mean": mean, "covariance": covariance, "images": 400, "rows": GOOD, "labels": LABELS} | changed
    batches = [(given.pop("rows"), given.pop("labels"))]
    with pytest.raises(MetricError, match=message):
        fit_covariance(**given, batches=batches, outputs=3)


@pytest.mark.parametrize("used", [[], [3], [-1]])
def test_images_of_labels_that_there_are_not_are_refused(used: list[int]) -> None:
    with pytest.raises(MetricError, match="some of 3 classes or attributes"):
        label_images(fitted(GOOD), used, multilabel=False)


def test_shrinkage_of_what_are_no_moments_is_refused() -> None:
    good = np.array([2.0, 1.0])
    for values, fourth, n in (
        (-good, 1.0, 9),
        (good, np.nan, 9),
        (good, -1.0, 9),
        (good, 1.0, 1),
        (good[None], 1.0, 9),
    ):
        with pytest.raises(MetricError):
            ledoit_wolf_shrinkage(values, fourth, n)


@pytest.mark.parametrize("cutoff", [np.nan, np.inf, -1e-9])
def test_a_cutoff_that_is_no_number_is_refused(cutoff: float) -> None:
    with pytest.raises(MetricError, match="cut-off"):
        whiten(fitted(GOOD), "truncated", cutoff)


@pytest.mark.parametrize("cutoff", [1 / 12, 0.5, 1e3])
def test_a_cutoff_that_keeps_nothing_is_refused(cutoff: float) -> None:
    with pytest.raises(MetricError, match="keeps no eigenvalue: it must be below 1/12"):
        whiten(fitted(GOOD), "truncated", cutoff)
    assert whiten(fitted(GOOD), "truncated", 1 / 12 - 1e-3).rank >= 1


def with_value(name: str, index: Any, value: float) -> Callable[[Covariance], Covariance]:
    def changed(covariance: Covariance) -> Covariance:
        array = getattr(covariance, name).copy()
        array[index] = value
        return replace(covariance, **{name: array})

    return changed


DAMAGED: dict[str, Callable[[Covariance], Covariance]] = {
    "a NaN among the eigenvectors": with_value("eigenvectors", (3, 4), np.nan),
    "an infinite eigenvector": with_value("eigenvectors32", (3, 4), np.inf),
    "another number": with_value("eigenvectors", (3, 4), 0.9),
    "a negative eigenvalue": with_value("eigenvalues", -1, -1e-3),
    "a NaN among the eigenvalues": with_value("eigenvalues32", 0, np.nan),
    "eigenvalues that ascend": lambda one: replace(one, eigenvalues=one.eigenvalues[::-1].copy()),
    "fewer eigenvalues": lambda one: replace(one, eigenvalues=one.eigenvalues[:11]),
    "fewer eigenvectors": lambda one: replace(one, eigenvectors=one.eigenvectors[:, :11]),
    "integers": lambda one: replace(one, eigenvalues=one.eigenvalues.astype(int)),
    "single precision": lambda one: replace(one, eigenvectors=one.eigenvectors.astype(np.float32)),
    "complex eigenvectors": lambda one: replace(one, eigenvectors=one.eigenvectors.astype(np.complex64)),
    "a mean from 0 to 255": lambda one: replace(one, mean=255 * one.mean),
    "a mean of other images": lambda one: replace(one, mean=one.mean[:11]),
    "a NaN among the labels": with_value("label_cross", (0, 0), np.nan),
    "labels of another number": lambda one: replace(one, label_cross=one.label_cross[:2]),
    "labels without an axis": lambda one: replace(one, label_gram=one.label_gram[0]),
    "no images": lambda one: replace(one, images=0),
    "images that are no number": lambda one: replace(one, images=[1, 2]),  # type: ignore[arg-type]
    "a shrinkage that is no number": lambda one: replace(one, shrinkage=[0.1, 0.2]),  # type: ignore[arg-type]
    "a shrinkage above 1": lambda one: replace(one, shrinkage=1.5),
    "no number as shrinkage": lambda one: replace(one, shrinkage=np.nan),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_covariance_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    """A single NaN gave R = 1 of every image: as if nothing were to be read."""
    path = tmp_path / "covariance.safetensors"
    sound = fitted(GOOD)
    save_covariance(sound, path, "data")
    load_covariance(path, "data")
    save_covariance(DAMAGED[kind](sound), path, "data")
    with pytest.raises(DataError, match=r"covariance\.safetensors is missing or damaged .*`vicious fit-covariance`"):
        load_covariance(path, "data")
