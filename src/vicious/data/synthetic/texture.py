"""Noise and outlines that the drawings share."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Points = Sequence[tuple[float, float]] | np.ndarray
"""(N, 2), x then y, downwards."""


def natural_noise(height: int, width: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Random float32 (height, width, channels), mean 0 and variance near 1, with the 1/f amplitude of photographs."""
    white = rng.standard_normal((channels, height, width), dtype=np.float32)
    field = np.fft.irfft2(np.fft.rfft2(white) * _amplitude(height, width), s=(height, width))
    return field.transpose(1, 2, 0).astype(np.float32)


@lru_cache
def _amplitude(height: int, width: int) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    frequency[0, 0] = np.inf  # no mean
    amplitude = 1 / frequency
    # Columns other than the first (and the last, if the width is even) stand for two frequencies each
    weight = np.full(amplitude.shape[1], 2.0)
    weight[0] = 1
    weight[width // 2 :] = 1 if width % 2 == 0 else 2
    scaled: np.ndarray = amplitude / np.sqrt((weight * amplitude**2).sum() / (height * width))
    return scaled


def smooth_outline(points: Points, rounds: int = 2, closed: bool = True) -> np.ndarray:
    """Round the corners of a polygon by cutting them (Chaikin), each round doubling the points."""
    points = np.asarray(points, float)
    for _ in range(rounds):
        following = np.concatenate([points[1:], points[:1]])
        cut = np.empty((2 * len(points), 2))
        cut[0::2], cut[1::2] = 0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following
        points = cut if closed else np.concatenate([points[:1], cut[1:-3], points[-1:]])
    return points


def side(part: Points, middle: float, sign: int = 1) -> np.ndarray:
    """Points given by their distance from a vertical line at ``middle``: to its right, or to its left with sign -1."""
    return np.asarray(part, float) * (sign, 1) + (middle, 0)


def mirrored(half: Points, middle: float) -> np.ndarray:
    """A symmetric outline from its right half, of which x is the distance from ``middle``."""
    return np.concatenate([side(half, middle), side(half, middle, -1)[::-1]])


def rotation(turn: float) -> np.ndarray:
    """The matrix (2, 2) that turns by so many radians."""
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def ellipse(center: tuple[float, float], radii: tuple[float, float], start: float = 0, stop: float = 1) -> np.ndarray:
    """Points (25, 2) on an ellipse, from ``start`` to ``stop`` of the turn, clockwise on screen from the right."""
    return _arc(start, stop) * radii + center


@lru_cache
def _arc(start: float, stop: float) -> np.ndarray:
    angle = 2 * np.pi * np.linspace(start, stop, 25)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grid(size: int) -> np.ndarray:
    """Coordinates (size, size, 2) of the pixels' centres, x then y, from -1 to 1."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    return np.stack(np.meshgrid(axis, axis), axis=-1)
