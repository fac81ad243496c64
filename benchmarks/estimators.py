"""How much faster all estimators of the risk are by one projection than by one whitening each.

    python benchmarks/estimators.py [pixels] [images]

Prints the seconds of both in this run and their ratio; both give the same risks (checked to 1e-6).
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from vicious.metrics.estimators import estimators
from vicious.metrics.risk import Array, Whitening, energies, fit_covariance, risk_of_energies


def timed(work: Callable[[], list[Array]]) -> tuple[float, list[Array]]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main(pixels: int = 1024, images: int = 500) -> None:
    generator = np.random.default_rng(0)
    mixing = generator.normal(0, 1, (pixels, pixels)) * 0.97 ** np.arange(pixels)
    x = 0.5 + 0.02 * generator.normal(0, 1, (2 * pixels, pixels)) @ mixing
    labels = np.zeros(len(x), dtype=np.int64)
    covariance = fit_covariance(x.mean(0), np.cov(x, rowvar=False), len(x), [(x, labels)], 1)
    settings = estimators(covariance)
    originals = x[:images]
    stolen = originals + 0.05 * generator.normal(0, 1, originals.shape)

    def one_projection() -> list[Array]:
        guess, error = (energies(originals - other, covariance) for other in (covariance.mean, stolen))
        return [risk_of_energies(guess, error, whitening) for whitening in settings]

    def one_whitening(whitening: Whitening) -> Array:
        matrix = covariance.eigenvectors[:, whitening.kept] * np.sqrt(whitening.weights[whitening.kept])
        guess, error = (np.linalg.norm((originals - other) @ matrix, axis=1) for other in (covariance.mean, stolen))
        return guess / error

    fast, found = timed(one_projection)
    plain, expected = timed(lambda: [one_whitening(whitening) for whitening in settings])
    for whitening, a, b in zip(settings, found, expected, strict=True):
        assert np.allclose(a, b, rtol=1e-6), whitening.estimator
    print(f"{len(settings)} estimators, {images} images, {pixels} pixels: one projection {fast:.3f} s, ", end="")
    print(f"one whitening each {plain:.3f} s, ratio {plain / fast:.1f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
