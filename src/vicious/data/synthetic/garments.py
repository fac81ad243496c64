"""Synthetic stand-in for Fashion-MNIST: ten garments as silhouettes with cloth, folds and prints."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from vicious.data.synthetic.texture import (
    Points,
    ellipse,
    grid,
    mirrored,
    natural_noise,
    rotation,
    side,
    smooth_outline,
)

_SIDE, _SCALE = 28, 3
_CLOTH = 140
"""Grey level of the cloth in the drawing, from which tones of 0 to 1.8 can be told."""


@dataclass
class _Garment:
    """Filled outlines in the unit square, y downwards, later ones on top, each with its brightness relative to the
    cloth's; above them open lines, with their width as a share of the side."""

    shapes: list[tuple[np.ndarray, float]] = field(default_factory=list)
    lines: list[tuple[np.ndarray, float, float]] = field(default_factory=list)

    def fill(self, points: Points, tone: float = 1, rounds: int = 1) -> None:
        self.shapes.append((smooth_outline(points, rounds), tone))

    def mirrored(self, half: Points, tone: float = 1) -> None:
        """A symmetric outline from its right half, given as distance from the middle and height, top to bottom."""
        self.fill(mirrored(half, 0.5), tone)

    def both(self, part: Points, tone: float, rounds: int = 1) -> None:
        """The same outline on the left and on the right."""
        for sign in (-1, 1):
            self.fill(side(part, 0.5, sign), tone, rounds)

    def line(self, points: Points, tone: float, width: float) -> None:
        self.lines.append((np.asarray(points, float), tone, width))


def draw_garment(label: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one garment, uint8 (28, 28), grey on black; labels are Fashion-MNIST's (0 T-shirt to 9 ankle boot)."""
    garment = _GARMENTS[label](rng)
    place = _placement(rng)
    large = _SIDE * _SCALE
    image = Image.new("L", (large, large))
    pen = ImageDraw.Draw(image)
    for points, tone in garment.shapes:
        pen.polygon((place(points) * large).ravel().tolist(), fill=min(255, round(_CLOTH * tone)))
    for points, tone, width in garment.lines:
        fill = min(255, round(_CLOTH * tone))
        pen.line((place(points) * large).ravel().tolist(), fill=fill, width=max(1, round(width * large)))
    shade = np.asarray(image.reduce(_SCALE), np.float32) / _CLOTH
    pixels: np.ndarray = np.clip(shade * rng.uniform(85, 250) * _cloth(rng), 0, 255).astype(np.uint8)
    return pixels


def _placement(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A small turn, stretch and shift about the middle of the unit square."""
    turn, stretch, shift = rng.normal(0, 0.035), rng.normal([1.02, 1.01], [0.06, 0.03]), rng.normal(0.5, 0.012, 2)
    matrix = rotation(turn) * stretch
    return lambda points: (points - 0.5) @ matrix.T + shift


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """Brightness (28, 28) around 1: light from a side, folds, weave, and one of several patterns."""
    x, y = np.moveaxis(grid(_SIDE), -1, 0)
    light = 1 + rng.normal(0, 0.12) * x + rng.normal(0, 0.1) * y
    folds = natural_noise(_SIDE, _SIDE, 1, rng)[..., 0] * rng.uniform(0.02, 0.08)
    cloth: np.ndarray = light + folds + rng.normal(0, 0.025, x.shape) + _pattern(x, y, rng)
    return cloth


def _pattern(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind, strength, sign = rng.random(), rng.uniform(0.15, 0.4), rng.choice([-1, 1])
    waves, phase = rng.uniform(6, 16), rng.uniform(0, 6.28)
    pattern = np.zeros_like(x)
    if kind < 0.10:  # stripes across
        pattern = strength * np.sign(np.sin(waves * y + phase))
    elif kind < 0.16:  # stripes along
        pattern = strength * np.sign(np.sin(waves * x + phase))
    elif kind < 0.22:  # checks
        pattern = strength * np.sin(waves * x + phase) * np.sin(waves * y + phase)
    elif kind < 0.36:  # a print on the chest
        width, height = rng.uniform(0.1, 0.35, 2)
        spot = np.hypot((x - rng.normal(0, 0.05)) / width, (y + rng.uniform(0, 0.3)) / height) < 1
        pattern = sign * 1.5 * strength * spot
    elif kind < 0.44:  # one broad band
        pattern = sign * strength * (np.abs(y - rng.uniform(-0.5, 0.5)) < rng.uniform(0.1, 0.3))
    return pattern


def _top(rng: np.random.Generator, reach: float, cuff: float, body: float, hem: float) -> _Garment:
    """Body with two sleeves; ``reach`` and ``cuff`` are where a sleeve ends, ``body`` half the width."""
    garment, neck, shoulder = _Garment(), rng.uniform(0.08, 0.13), rng.uniform(0.2, 0.25)
    width, flare = rng.uniform(0.1, 0.14), rng.normal(0.01, 0.02)
    inner = [(reach - width, cuff + 0.03), (body - 0.04, 0.36)]
    garment.both([(shoulder * 0.7, 0.08), (shoulder, 0.12), (reach, cuff), *inner], rng.uniform(0.8, 0.95))
    garment.mirrored([(neck, 0.06), (shoulder, 0.11), (body, 0.3), (body - 0.01, 0.6), (body + flare, hem)])
    garment.fill(ellipse((0.5, 0.055), (neck, rng.uniform(0.03, 0.09))), rng.choice([0, 0.35, 0.6]), 0)
    for sign in (-1, 1):
        garment.line([(0.5 + sign * (body - 0.01), 0.32), (0.5 + sign * (body - 0.005), 0.5)], 0.6, 0.015)
    return garment


def _t_shirt(rng: np.random.Generator) -> _Garment:
    return _top(rng, rng.uniform(0.36, 0.47), rng.uniform(0.28, 0.4), rng.uniform(0.22, 0.27), rng.uniform(0.87, 0.96))


def _trouser(rng: np.random.Generator) -> _Garment:
    garment, waist, ankle = _Garment(), rng.uniform(0.13, 0.19), rng.uniform(0.14, 0.24)
    width, crotch, hip = rng.uniform(0.07, 0.13), rng.uniform(0.3, 0.38), waist + rng.uniform(0, 0.04)
    cut = [(0, 0.03), (waist, 0.03), (hip, 0.25), (ankle, 0.97), (max(0.015, ankle - width), 0.97), (0.005, crotch)]
    garment.both(cut, 1)
    garment.line([(0.5 - waist, 0.1), (0.5 + waist, 0.1)], rng.uniform(0.6, 1.2), 0.02)
    garment.line([(0.5, 0.08), (0.5, crotch)], 0.65, 0.015)
    return garment


def _pullover(rng: np.random.Generator) -> _Garment:
    cuff, hem = rng.uniform(0.72, 0.88), rng.uniform(0.84, 0.93)
    garment = _top(rng, rng.uniform(0.37, 0.46), cuff, rng.uniform(0.22, 0.28), hem)
    garment.line([(0.3, hem - 0.05), (0.7, hem - 0.05)], rng.uniform(0.7, 1.2), 0.03)
    return garment


def _dress(rng: np.random.Generator) -> _Garment:
    garment, waist, hem = _Garment(), rng.uniform(0.09, 0.14), rng.uniform(0.16, 0.33)
    chest, waistline = waist + rng.uniform(0.02, 0.06), rng.uniform(0.36, 0.46)
    if rng.random() < 0.5:
        reach, cuff = chest + rng.uniform(0.05, 0.14), rng.uniform(0.22, 0.6)
        sleeve = [(0.1, 0.06), (chest + 0.02, 0.1), (reach, cuff), (reach - 0.07, cuff + 0.02), (chest - 0.04, 0.25)]
        garment.both(sleeve, 0.88)
    shoulder = rng.uniform(0.05, 0.09)
    skirt = [(waist, waistline), (hem, 0.9), (hem, 0.98), (0, 0.98)]
    garment.mirrored([(shoulder, 0.02), (chest, 0.07), (chest, 0.22), *skirt])
    garment.fill(ellipse((0.5, 0.02), (0.07, rng.uniform(0.03, 0.12))), 0, 0)
    garment.line([(0.5 - waist, waistline), (0.5 + waist, waistline)], rng.uniform(0.6, 1.3), 0.025)
    return garment


def _coat(rng: np.random.Generator) -> _Garment:
    garment = _top(rng, rng.uniform(0.34, 0.42), rng.uniform(0.78, 0.92), rng.uniform(0.23, 0.28), 0.97)
    drop, lean, pocket = rng.uniform(0.3, 0.5), rng.normal(0, 0.015), rng.uniform(0.6, 0.7)
    garment.both([(0.1, 0.05), (0.16, 0.2), (0, drop), (0.02, 0.14)], 0.62)
    for sign in (-1, 1):
        garment.line([(0.5 + sign * 0.09, pocket), (0.5 + sign * 0.18, pocket + 0.02)], 0.55, 0.02)
    garment.line([(0.5, 0.12), (0.5 + lean, 0.97)], rng.uniform(0.05, 0.35), rng.uniform(0.02, 0.045))
    return garment


def _sandal(rng: np.random.Generator) -> _Garment:
    garment, heel, toe = _Garment(), rng.uniform(0.0, 0.28), rng.uniform(0.02, 0.06)
    low, back = rng.uniform(0.72, 0.82), 0.96
    wedge = low - heel * rng.choice([0, 0.8])
    sole = [(toe, low - 0.04), (0.35, low - 0.06), (0.65, low - 0.06 - heel * 0.6), (back, low - 0.07 - heel)]
    garment.fill([*sole, (back, wedge), (0.45, low), (toe, low + 0.02)])
    if heel > 0.12:
        raised = [(back - 0.1, low - heel), (back, low - heel), (back, low + 0.02), (back - 0.05, low + 0.02)]
        garment.fill(raised, 0.8, 0)
    for place in rng.uniform(0.12, 0.5, rng.integers(1, 4)):
        rise = rng.uniform(0.12, 0.25)
        arc = [(place - 0.06, low - 0.04), (place, low - rise), (place + 0.13, low - rise), (place + 0.2, low - 0.08)]
        garment.line(smooth_outline(arc, 1, closed=False), rng.uniform(0.8, 1.3), rng.uniform(0.03, 0.06))
    top = low - heel - rng.uniform(0.2, 0.3)
    ankle = [(0.62, low - 0.08 - heel * 0.5), (0.7, top), (0.93, top), (0.94, low - 0.06 - heel)]
    garment.line(ankle, 1.1, rng.uniform(0.03, 0.05))
    return garment


def _shirt(rng: np.random.Generator) -> _Garment:
    cuff = rng.uniform(0.7, 0.85) if rng.random() < 0.7 else rng.uniform(0.35, 0.48)
    garment = _top(rng, rng.uniform(0.37, 0.46), cuff, rng.uniform(0.2, 0.25), rng.uniform(0.85, 0.95))
    garment.both([(0, 0.16), (0.05, 0.04), (0.13, 0.07), (0.09, 0.19)], 1.3, 0)  # the collar
    garment.line([(0.5, 0.16), (0.5, 0.87)], 0.72, 0.03)
    for height in np.arange(rng.uniform(0.2, 0.26), 0.82, rng.uniform(0.1, 0.14)):
        garment.line([(0.49, height), (0.51, height)], 1.5, 0.03)
    return garment


def _sneaker(rng: np.random.Generator) -> _Garment:
    garment, top, low = _Garment(), rng.uniform(0.3, 0.4), rng.uniform(0.68, 0.74)
    toe, tongue, opening = rng.uniform(0.02, 0.06), rng.uniform(0.5, 0.6), rng.uniform(0.04, 0.09)
    upper = [(toe, low), (toe, low - 0.14), (0.25, low - 0.22), (tongue, top), (tongue + 0.08, top - 0.02)]
    garment.fill([*upper, (0.75, top + opening), (0.93, top), (0.97, top + 0.1), (0.96, low)])
    thick = rng.uniform(0.06, 0.11)
    sole = [(toe - 0.01, low - 0.02), (0.97, low - 0.02), (0.96, low + thick), (toe + 0.01, low + thick)]
    garment.fill(sole, rng.choice([0.5, 1.4]))
    lace = rng.choice([0.4, 1.5])
    for step in range(3):
        x, y = 0.32 + 0.08 * step, low - 0.22 - 0.05 * step
        garment.line([(x, y), (x + 0.07, y + 0.07)], lace, 0.025)
    if rng.random() < 0.6:  # a stripe of the brand
        garment.line([(0.45, low - 0.03), (0.6, low - 0.16), (0.9, low - 0.2)], rng.choice([0.4, 1.6]), 0.04)
    return garment


def _bag(rng: np.random.Generator) -> _Garment:
    garment, top, width = _Garment(), rng.uniform(0.3, 0.48), rng.uniform(0.32, 0.47)
    low, taper, handle = rng.uniform(0.84, 0.95), rng.normal(0.03, 0.04), rng.uniform(0.12, 0.28)
    strap = ellipse((0.5, top + 0.03), (handle, top - rng.uniform(0.04, 0.16)), 0.5, 1)
    garment.line(strap, 0.85, rng.uniform(0.03, 0.06))
    garment.mirrored([(width - taper, top), (width, (top + low) / 2), (width, low), (0, low)])
    if rng.random() < 0.6:  # a flap
        flap = top + rng.uniform(0.12, 0.28)
        edge = [(width - taper, top), (width - 0.02, flap - 0.06), (width * 0.5, flap)]
        garment.mirrored(edge, rng.uniform(0.7, 0.9))
    garment.fill(ellipse((0.5, rng.uniform(0.5, 0.62)), (0.04, 0.04)), rng.choice([0.4, 1.6]), 0)
    garment.line([(0.5 - width, low - 0.06), (0.5 + width, low - 0.06)], 0.7, 0.02)
    return garment


def _ankle_boot(rng: np.random.Generator) -> _Garment:
    garment, top, low = _Garment(), rng.uniform(0.04, 0.18), rng.uniform(0.8, 0.87)
    front, heel, toe = rng.uniform(0.44, 0.55), rng.uniform(0.03, 0.12), rng.uniform(0.03, 0.1)
    upper = [(toe, low), (toe + 0.02, low - 0.13), (0.3, low - 0.24), (front, low - 0.38), (front, top)]
    garment.fill([*upper, (0.9, top), (0.9, low - 0.3), (0.94, low), (0.7, low - 0.02)])
    tone = rng.choice([0.45, 0.7, 1.3])
    garment.fill([(toe, low - 0.02), (0.94, low - 0.02), (0.94, low + 0.03), (toe, low + 0.03)], tone, 0)
    garment.fill([(0.72, low), (0.94, low), (0.92, low + heel + 0.03), (0.75, low + heel + 0.03)], tone, 0)
    if rng.random() < 0.6:  # a zip
        garment.line([(0.72, top + 0.03), (0.7, low - 0.05)], 0.6, 0.025)
    garment.line([(front, top + 0.05), (0.9, top + 0.05)], rng.uniform(0.6, 1.2), 0.03)
    return garment


_GARMENTS = (_t_shirt, _trouser, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _ankle_boot)
