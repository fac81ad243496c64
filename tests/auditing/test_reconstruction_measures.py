"""Measures of reconstructions, against plain counts and against the study's own risk."""

from math import comb

import numpy as np
import pytest
from audited import evidence

from vicious.auditing.decode import decode
from vicious.auditing.measured import _first_of, measure
from vicious.metrics.measures.psnr import psnr
from vicious.metrics.risk import energies, fit_covariance, risk_of_energies, whiten_share

GIVEN = evidence(60, 2.0)
SHAPE = (1, 16, 16)


def test_measures_are_those_of_the_study_with_intervals_and_guesses() -> None:
    decoded = decode(GIVEN.logits, GIVEN.pixels, False, 0)
    found = {one.name: one for one in measure(decoded, GIVEN.pixels, SHAPE).found}
    assert list(found) == ["psnr", "ssim", "risk95", "identified"]
    images, originals = decoded.images.reshape(-1, *SHAPE), GIVEN.pixels.reshape(-1, *SHAPE)
    assert found["psnr"].value == pytest.approx(float(psnr(images, originals).mean()))
    for one in found.values():
        assert one.low <= one.value <= one.high
        assert one.of_mean <= one.of_label <= one.value
    assert found["risk95"].of_mean == pytest.approx(1)
    assert found["identified"].of_mean == pytest.approx(1 / 30)


def test_the_risk_is_that_of_a_covariance_of_all_pixels() -> None:
    decoded = decode(GIVEN.logits, GIVEN.pixels, False, 0)
    values = []
    for held in (0, 1):
        rest, asked = GIVEN.pixels[decoded.fold != held], decoded.fold == held
        labels = np.zeros(len(rest), np.int64)
        covariance = fit_covariance(rest.mean(0), np.cov(rest.T), len(rest), [(rest, labels)], 1)
        guess, error = (
            energies(GIVEN.pixels[asked] - one[asked], covariance) for one in (decoded.mean, decoded.images)
        )
        values.append(risk_of_energies(guess, error, whiten_share(covariance, 0.95)))
    found = {one.name: one.value for one in measure(decoded, GIVEN.pixels, SHAPE).found}
    assert found["risk95"] == pytest.approx(np.concatenate(values).mean())


def test_the_chance_to_be_first_is_that_of_drawing_others() -> None:
    generator = np.random.default_rng(0)
    nearer, tied, candidates, among = 2, 3, 20, 6
    won = 0.0
    for _ in range(20_000):
        others = generator.permutation(candidates - 1)[: among - 1]
        closer, equal = (others < nearer).sum(), ((others >= nearer) & (others < nearer + tied - 1)).sum()
        won += (closer == 0) / (1 + equal)
    found = _first_of(np.array([nearer, 0]), np.array([tied, 1]), candidates, among)
    assert found[0] == pytest.approx(won / 20_000, abs=0.01)
    assert found[1] == 1
    assert comb(candidates - 1, among - 1) > 0


def test_small_images_have_no_ssim_and_equal_ones_no_risk() -> None:
    pixels = np.full((20, 64), 0.5)
    decoded = decode(GIVEN.logits[:20], pixels, False, 0)
    assert [one.name for one in measure(decoded, pixels, (1, 8, 8)).found] == ["psnr", "identified"]
