"""All estimators of the risk by one projection onto the covariance's eigenvectors, against a whitening matrix for each
of them. Both start from the same factorised covariance. They give the same risks, up to 1e-6.

    python benchmarks/estimators.py [pixels] [images]
"""

import os
import sys

import numpy as np
from measuring import in_turn, machine, report

from vicious.metrics.estimators import estimators
from vicious.metrics.risk import Array, Whitening, energies, fit_covariance, risk_of_energies


def main(pixels: int = 1024, images: int = 500) -> None:
    where = machine()
    generator = np.random.default_rng(0)
    mixing = generator.normal(0, 1, (pixels, pixels)) * 0.97 ** np.arange(pixels)
    x = (0.5 + 0.02 * generator.normal(0, 1, (2 * pixels, pixels)) @ mixing).clip(0, 1)
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
        return np.asarray(guess / error)

    def whitenings() -> list[Array]:
        return [one_whitening(whitening) for whitening in settings]

    for whitening, a, b in zip(settings, one_projection(), whitenings(), strict=True):
        assert np.allclose(a, b, rtol=1e-6), whitening.estimator
    seconds = in_turn({"one projection": one_projection, "one whitening each": whitenings}, rounds=5)
    report(
        "estimators",
        where,
        ("pixels", "images", "estimators", "one projection, s", "one whitening each, s", "ratio"),
        [
            (
                f"{pixels:,}",
                images,
                len(settings),
                *(round(each, 3) for each in seconds.values()),
                round(seconds["one whitening each"] / seconds["one projection"], 1),
            )
        ],
        threads=os.environ.get("OMP_NUM_THREADS", where["cores"]),
        target="faster than one whitening each",
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
