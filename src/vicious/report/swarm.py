"""Moving markers aside that would cover each other."""

import math
from collections.abc import Sequence

Point = tuple[float, float]


def aside(centres: Sequence[Point], apart: float) -> list[float]:
    """How far to move each centre sideways, so that no two are nearer than ``apart``; in the same unit.

    The first keep their places; each other one moves as little as it can.
    """
    placed: list[Point] = []
    moves: list[float] = []
    for x, y in centres:
        # Right of, or left of, each that is near in height: one of these places is the nearest that is free.
        reach = [
            (other, math.sqrt(apart**2 - (y - height) ** 2)) for other, height in placed if abs(y - height) < apart
        ]
        tried = [x, *(end for other, width in reach for end in (other + width, other - width))]
        free = (at for at in tried if all(abs(at - other) >= width * (1 - 1e-9) for other, width in reach))
        best = min(free, key=lambda at: abs(at - x))
        placed.append((best, y))
        moves.append(best - x)
    return moves
