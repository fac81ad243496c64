"""R, PSNR and SSIM of one fixed pair of small arrays, by a second path in plain numpy float64 that shares no code."""

from typing import Any

import numpy as np
import pytest
import torch

from vicious.metrics.measures.psnr import psnr
from vicious.metrics.measures.ssim import ssim
from vicious.metrics.risk import energies, fit_covariance, risk_of_energies, whiten, whiten_share

SIDE = 12
GOLDEN = {
    "psnr": [21.358078, 21.377627, 21.356656],
    "ssim": [0.891377, 0.842174, 0.837330],
    "risk": [0.416786, 0.329662, 0.346921],
    "risk95": [0.735521, 0.726681, 0.953516],
}
"""Of the first three images; written once from the numpy path below."""


def waves(n: int, phase: Any) -> Any:
    """Images (n, 12, 12) in [0, 1] without a random number: sums of waves that differ for each image."""
    k = np.arange(n)[:, None, None]
    i, j = np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]
    smooth = np.sin(0.7 * k + 0.5 * i) * np.cos(1.3 * k - 0.4 * j)
    fine = 0.3 * np.sin((k + 2.0) * (i + 1.0) * 1.7 + phase) * np.cos((k + 3.0) * (j + 1.0) * 2.3)
    images = 0.5 + 0.25 * smooth + 0.5 * fine * np.sin(k * i * 0.9 + j)
    images[:, :, 0] = 0.25  # a column that never changes: the covariance is singular, errors there do not count
    return images


@pytest.fixture(scope="module")
def arrays() -> Any:
    """Images to fit (400), three originals out of them, and their reconstructions."""
    fitted = waves(400, 0.0)
    originals = fitted[:3]
    i, j = np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]
    errors = 0.12 * np.sin(2.1 * i + np.arange(3)[:, None, None]) * np.cos(1.9 * j) + 0.06
    return fitted, originals, np.clip(originals + errors, 0.0, 1.0)


def numpy_psnr(x: Any, y: Any) -> Any:
    return -10 * np.log10(((x - y) ** 2).mean((1, 2)))


def numpy_ssim(x: Any, y: Any) -> Any:
    """Window by window, as the paper of 2004 writes it."""
    offset = np.arange(11) - 5
    kernel = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    values = []
    for top in range(SIDE - 10):
        for left in range(SIDE - 10):
            a, b = x[:, top : top + 11, left : left + 11], y[:, top : top + 11, left : left + 11]
            mean_a, mean_b = (kernel * a).sum((1, 2)), (kernel * b).sum((1, 2))
            centred_a, centred_b = a - mean_a[:, None, None], b - mean_b[:, None, None]
            var_a, var_b = (kernel * centred_a**2).sum((1, 2)), (kernel * centred_b**2).sum((1, 2))
            both = (kernel * centred_a * centred_b).sum((1, 2))
            luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            values.append(luminance * (2 * both + 9e-4) / (var_a + var_b + 9e-4))
    return np.mean(values, axis=0)


def numpy_risk(fitted: Any, x: Any, y: Any, keep: Any) -> Any:
    """By singular values of the centred data: no covariance is formed, no eigenvalue problem solved."""
    flat = fitted.reshape(len(fitted), -1)
    mean = flat.mean(0)
    _, singular, directions = np.linalg.svd(flat - mean, full_matrices=False)
    variances = singular**2 / (len(flat) - 1)
    rank = keep(variances)

    def distance(a: Any, b: Any) -> Any:
        coordinates = (a - b).reshape(len(x), -1) @ directions[:rank].T
        return np.sqrt((coordinates**2 / variances[:rank]).sum(1))

    return distance(x, mean.reshape(1, SIDE, SIDE)) / distance(x, y)


def published(variances: Any) -> int:
    return int((variances > 1.2e-7 * SIDE**2 * variances[0]).sum())


def share95(variances: Any) -> int:
    return int(np.argmax(np.cumsum(variances) / variances.sum() >= 0.95)) + 1


def test_image_quality(arrays: Any) -> None:
    _, x, y = arrays
    a, b = torch.from_numpy(x)[:, None], torch.from_numpy(y)[:, None]
    for name, measure, reference in (("psnr", psnr, numpy_psnr), ("ssim", ssim, numpy_ssim)):
        assert measure(a, b).numpy() == pytest.approx(reference(x, y), rel=1e-10), name
        assert reference(x, y) == pytest.approx(GOLDEN[name], abs=1e-5), name


def test_reconstruction_risk(arrays: Any) -> None:
    fitted, x, y = arrays
    flat, labels = fitted.reshape(len(fitted), -1), np.zeros(len(fitted), dtype=np.int64)
    covariance = fit_covariance(flat.mean(0), np.cov(flat, rowvar=False), len(flat), [(flat, labels)], 1)
    rows, stolen = x.reshape(3, -1), y.reshape(3, -1)
    for name, whitening, keep in (
        ("risk", whiten(covariance), published),
        ("risk95", whiten_share(covariance), share95),
    ):
        expected = numpy_risk(fitted, x, y, keep)
        guess, error = energies(rows - covariance.mean, covariance), energies(rows - stolen, covariance)
        assert risk_of_energies(guess, error, whitening) == pytest.approx(expected, rel=1e-6), name
        assert expected == pytest.approx(GOLDEN[name], abs=1e-5), name
