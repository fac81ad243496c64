"""Markers that would cover each other."""

import itertools

import numpy as np

from vicious.report.swarm import aside


def test_markers_are_moved_no_more_than_needed():
    generator = np.random.default_rng(0)
    centres = [(float(x), float(y)) for x, y in generator.integers(0, 4, (30, 2))]
    moves = aside(centres, 1.5)
    placed = [(x + move, y) for (x, y), move in zip(centres, moves, strict=True)]
    assert all(np.hypot(a[0] - b[0], a[1] - b[1]) >= 1.5 - 1e-6 for a, b in itertools.combinations(placed, 2))
    assert aside([(0, 0), (0, 0), (0, 0), (0, 2), (9, 9)], 2.0) == [0, 2, -2, 0, 0]
