"""Identification: against brute force, at its ends, and at chance."""

from typing import Any

import numpy as np
import pytest

from vicious.metrics import identification
from vicious.metrics.identification import Candidates, Matches, chance
from vicious.system.errors import MetricError

N, D = 60, 12


@pytest.fixture
def images() -> np.ndarray:
    """Bytes; every fifth image has a copy."""
    found = np.random.default_rng(0).integers(0, 256, (N, D), dtype=np.uint8)
    found[1::5] = found[::5]
    return found


@pytest.fixture
def groups() -> np.ndarray:
    return np.arange(N) % 4


def noisy(images: Any, scale: float = 0.3) -> Any:
    return np.clip(images / 255 + np.random.default_rng(1).normal(0, scale, images.shape), 0, 1)


def brute_force(images: Any, reconstructions: Any, originals: Any, groups: Any) -> Any:
    """Rank, and the chances to be among the first 1 and 10, of each original by whole distances; ties by counting."""
    pixels, found = images / 255, []
    for y, own in zip(reconstructions, originals, strict=True):
        among = np.flatnonzero(groups == groups[own])
        distance = ((pixels[among] - y) ** 2).sum(1)
        mine = distance[list(among).index(own)]
        nearer = sum(one < mine - 1e-10 for one in distance)
        tied = sum(abs(one - mine) <= 1e-10 for one in distance)
        places = range(nearer + 1, nearer + tied + 1)
        found.append([np.mean(places), *(np.mean([place <= k for place in places]) for k in (1, 10))])
    return np.array(found)


def numbers(matches: Matches) -> Any:
    return np.stack([matches.rank, matches.top(1), matches.top(10)], 1)


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.3, 3.0])
def test_ranks_are_those_of_brute_force(images: Any, groups: Any, scale: float) -> None:
    everyone, reconstructions = np.arange(N), noisy(images, scale)
    found = Candidates(images, groups).find(reconstructions, everyone)
    for matches, among in zip(found, (np.zeros(N), groups), strict=True):
        assert numbers(matches) == pytest.approx(brute_force(images, reconstructions, everyone, among))
        assert matches.candidates.tolist() == [(among == one).sum() for one in among]


def test_an_exact_reconstruction_finds_its_original(images: Any, groups: Any) -> None:
    exact = (images / 255).astype(np.float32)
    all_images, own_group = Candidates(images, groups).find(exact, np.arange(N))
    copied = np.arange(N) % 5 < 2
    assert all_images.rank.tolist() == np.where(copied, 1.5, 1.0).tolist()
    assert all_images.top(1).tolist() == np.where(copied, 0.5, 1.0).tolist()
    assert set(own_group.top(1)) == {1.0}, "no group has both copies"


def test_images_that_differ_in_one_bit_are_no_copies() -> None:
    images = np.full((2, 3072), 200, np.uint8)
    images[1, 0] += 1
    matches, _ = Candidates(images, np.zeros(2, int)).find(images / 255, np.arange(2))
    assert matches.rank.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["grey", "an image", "random"])
def test_one_reconstruction_for_all_is_at_chance(images: Any, groups: Any, kind: str) -> None:
    one = {"grey": np.full(D, 0.5), "an image": images[7] / 255, "random": np.random.default_rng(2).random(D)}[kind]
    candidates = Candidates(images, groups)
    for found in (
        candidates.find(np.tile(one, (N, 1)), np.arange(N)),
        candidates.find(one[None], np.arange(N), np.zeros(N, int)),
    ):
        for matches in found:
            n = matches.candidates[0]
            assert matches.rank.mean() == pytest.approx((n + 1) / 2)
            assert matches.top(1).mean() == pytest.approx(1 / n)
            assert matches.top(10).mean() == pytest.approx(10 / n)


def test_chance_is_never_above_one() -> None:
    assert chance(10, np.array([4, 40])).tolist() == [1.0, 0.25]
    assert chance(1, np.array([4, 40])).tolist() == [0.25, 0.025]


def test_the_order_of_images_does_not_matter(images: Any, groups: Any) -> None:
    reconstructions, order = noisy(images), np.random.default_rng(3).permutation(N)
    plain = Candidates(images, groups).find(reconstructions, np.arange(N))
    mixed = Candidates(images[order], groups[order]).find(reconstructions[order], np.arange(N))
    for one, other in zip(plain, mixed, strict=True):
        assert numbers(other).tolist() == numbers(one)[order].tolist()


@pytest.mark.parametrize("at_once", [1, 7, N, 10 * N])
def test_the_number_at_once_does_not_matter(images: Any, groups: Any, at_once: int, monkeypatch: Any) -> None:
    reconstructions = noisy(images)
    expected = Candidates(images, groups).find(reconstructions, np.arange(N))
    monkeypatch.setattr(identification, "AT_ONCE", at_once)
    found = Candidates(images, groups).find(reconstructions, np.arange(N))
    parts = [Candidates(images, groups).find(reconstructions[part], part) for part in (np.arange(9), np.arange(9, N))]
    for index, matches in enumerate(expected):
        assert numbers(found[index]).tolist() == numbers(matches).tolist()
        assert np.concatenate([numbers(part[index]) for part in parts]).tolist() == numbers(matches).tolist()


def test_bytes_and_pixels_are_the_same_candidates(images: Any, groups: Any) -> None:
    expected = Candidates(images, groups).find(noisy(images), np.arange(N))
    found = Candidates(images / 255, groups).find(noisy(images), np.arange(N))
    assert [numbers(one).tolist() for one in found] == [numbers(one).tolist() for one in expected]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((3, 1, 4))}, "candidates must have the shape"),
        ({"images": np.zeros((0, 4), np.uint8)}, "no candidates"),
        ({"images": np.zeros((3, 4), np.int64)}, "floating point"),
        ({"images": np.full((3, 4), 2.0)}, r"lie in \[0, 1\]"),
        ({"groups": np.zeros(2, int)}, "groups must have the shape"),
        ({"groups": np.zeros(3)}, "groups must be whole numbers"),
        ({"reconstructions": np.zeros((3, 5))}, "reconstructions must have the shape"),
        ({"reconstructions": np.zeros((2, 4))}, "reconstructions must have the shape"),
        ({"reconstructions": np.full((3, 4), np.nan)}, r"lie in \[0, 1\]"),
        ({"originals": np.array([0, 1, 3])}, "which of 3 candidates"),
        ({"originals": np.array([0.0, 1.0, 2.0])}, "which of 3 candidates"),
        ({"of": np.array([0, 1])}, "must have the shape"),
        ({"of": np.array([0, 1, -1])}, "which of 3 reconstructions"),
    ],
)
def test_what_are_no_images_or_indices_is_refused(changes: Any, words: str) -> None:
    given: dict[str, Any] = {
        "images": np.zeros((3, 4), np.uint8),
        "groups": np.zeros(3, int),
        "reconstructions": np.zeros((3, 4)),
        "originals": np.arange(3),
        "of": None,
    } | changes
    with pytest.raises(MetricError, match=words):
        Candidates(given["images"], given["groups"]).find(given["reconstructions"], given["originals"], given["of"])
