"""Synthetic stand-in for CIFAR-10, CIFAR-100 and Tiny ImageNet: objects in many poses on natural-looking grounds.

A class is a shape; with more than 10 classes a shape and a texture; with more than 100 also a colour family. Colours
lean towards a hue of the class but vary, so that neither shape nor colour alone settles every image.
"""

import colorsys
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from vicious.data.synthetic.texture import ellipse, grid, natural_noise, rotation, smooth_outline

_SCALE = 3
_TEXTURES = ("plain", "striped", "dotted", "chequered", "ringed")
_FAMILIES = ("light", "dark")
_BRIGHTNESS = {None: (0.5, 0.95), 0: (0.75, 1.0), 1: (0.3, 0.55)}
_GOLDEN = 0.618033988749895
_GROUNDS = np.array(
    [(135, 175, 215), (105, 135, 75), (165, 140, 105), (120, 120, 125), (195, 190, 180), (60, 80, 105), (90, 70, 60)],
    np.float32,
)
"""Sky, grass, sand, stone, wall, water, earth."""


def draw_object(label: int, classes: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one object of class ``label`` of ``classes`` (at most 200), uint8 (side, side, 3), RGB."""
    matrix, shift = _pose(rng)
    mask = _mask(_shapes()[label % _shape_count(classes)][1], matrix, shift, side)
    inside = ((grid(side) - shift.astype(np.float32)) @ np.linalg.inv(matrix).T.astype(np.float32)).clip(-2, 2)
    ground = _ground(side, rng)
    # The object's shadow on the ground, a few pixels off
    offset = int(rng.integers(1, max(2, side // 12)))
    ground *= 1 - 0.35 * np.roll(mask, (offset, offset), axis=(0, 1))[..., None]
    image = ground + mask[..., None] * (_surface(label, classes, inside, rng) - ground)
    slope = rng.normal(0, 0.12, 2).astype(np.float32)
    image *= (1 + grid(side) @ slope)[..., None] * np.float32(rng.uniform(0.8, 1.15))
    image += 3 * rng.standard_normal(image.shape, dtype=np.float32)
    pixels: np.ndarray = image.clip(0, 255).astype(np.uint8)
    return pixels


def object_name(label: int, classes: int) -> str:
    """What distinguishes the class, in words."""
    shapes = _shape_count(classes)
    words = [_shapes()[label % shapes][0]]
    if classes > 10:
        words.insert(0, _TEXTURES[label // shapes % len(_TEXTURES)])
    if classes > 100:
        words.insert(0, _FAMILIES[label // (shapes * len(_TEXTURES))])
    return "_".join(words)


def shape_names() -> list[str]:
    """The 20 shapes: the coarse classes of 100, in turn."""
    return [name for name, _ in _shapes()]


def _shape_count(classes: int) -> int:
    return min(classes, len(_shapes()))


def _pose(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """From the shape's coordinates to the image's, both from -1 to 1: a matrix (2, 2) and a shift (2,)."""
    size, turn, stretch = rng.uniform(0.58, 0.86), rng.normal(0, 0.3), np.exp(rng.normal(0, 0.1))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    return size * rotation(turn) @ np.diag([flip * stretch, 1 / stretch]), rng.normal(0, 0.11, 2)


def _mask(outlines: list[np.ndarray], matrix: np.ndarray, shift: np.ndarray, side: int) -> np.ndarray:
    """Coverage (side, side) in [0, 1], float32. The first outline is filled; any further ones are holes."""
    large = side * _SCALE
    image = Image.new("L", (large, large))
    pen = ImageDraw.Draw(image)
    for number, outline in enumerate(outlines):
        points = ((outline @ matrix.T + shift) + 1) * (large / 2)
        pen.polygon(points.ravel().tolist(), fill=0 if number else 255)
    return np.asarray(image.reduce(_SCALE), np.float32) / 255


def _ground(side: int, rng: np.random.Generator) -> np.ndarray:
    """A ground (side, side, 3) in [0, 255], float32: one or two materials with 1/f brightness and some 1/f colour."""
    first, second = _GROUNDS[rng.integers(len(_GROUNDS), size=2)] + rng.normal(0, 14, (2, 3)).astype(np.float32)
    noise = natural_noise(side, side, 4, rng)
    horizon, sharpness = rng.uniform(-1.2, 1.2), rng.uniform(2, 14)
    share = 1 / (1 + np.exp(-sharpness * (grid(side)[..., 1] - horizon + 0.08 * noise[..., 0])))
    ground: np.ndarray = first + share[..., None].astype(np.float32) * (second - first)
    return ground + np.float32(rng.uniform(12, 32)) * noise[..., :1] + np.float32(6) * noise[..., 1:]


def _surface(label: int, classes: int, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours (side, side, 3) of the object; ``inside`` are coordinates fixed to it."""
    side, group = inside.shape[0], label // _shape_count(classes)
    texture = _TEXTURES[group % len(_TEXTURES) if classes > 10 else rng.integers(2)]
    main, other = _colours(label, group // len(_TEXTURES) if classes > 100 else None, rng)
    colour = main + _texture(texture, inside, rng)[..., None] * (other - main)
    x, y = inside[..., 0], inside[..., 1]
    # Rounded like a body lit from above, with uneven paint
    body = 1.12 - 0.3 * (x * x + y * y).clip(0, 1.2) - rng.uniform(0, 0.25) * y
    paint = 1 + rng.uniform(0.04, 0.14) * natural_noise(side, side, 1, rng)[..., 0]
    surface: np.ndarray = (colour * (body * paint)[..., None]).astype(np.float32)
    return surface


def _colours(label: int, family: int | None, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two colours in [0, 255]: the class's hue, varied, and a lighter or darker companion."""
    hue = (label * _GOLDEN + rng.normal(0, 0.055)) % 1
    saturation, value = rng.uniform(0.45, 0.95), rng.uniform(*_BRIGHTNESS[family])
    main = np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32) * 255
    contrast = value - 0.45 if value > 0.6 else value + 0.45
    second = colorsys.hsv_to_rgb((hue + rng.normal(0.12, 0.05)) % 1, saturation * 0.6, contrast)
    return main, np.array(second, np.float32) * 255


def _texture(name: str, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Share of the second colour (side, side), in [0, 1]."""
    waves, phase = rng.uniform(7.5, 10), rng.uniform(0, 6.28)
    x, y = waves * inside[..., 0], waves * inside[..., 1]
    if name == "striped":
        wave = np.sin((x if rng.random() < 0.5 else 0.7 * (x + y)) + phase)
    elif name == "dotted":
        wave = np.sin(x + phase) * np.sin(y + phase) * 2.4 - 0.9
    elif name == "chequered":
        wave = np.sin(0.7 * x + phase) * np.sin(0.7 * y + phase) * 3
    elif name == "ringed":
        wave = np.sin(1.1 * np.hypot(x, y) + phase)
    else:
        return np.zeros(inside.shape[:2], np.float32)
    return (0.5 + 2.2 * wave).clip(0, 1)


@cache
def _shapes() -> list[tuple[str, list[np.ndarray]]]:
    """Names and outlines in [-1, 1], y downwards; the first ten differ most, as CIFAR-10's stand-in uses them alone."""
    return [
        ("ball", [ellipse((0, 0), (0.85, 0.85))]),
        ("star", [_star(5, 0.42)]),
        ("car", _car()),
        ("ring", [ellipse((0, 0), (0.95, 0.95)), ellipse((0, 0), (0.48, 0.48))]),
        ("tree", [_points("-.14 1 -.14 .5 -.85 .5 -.3 -.1 -.6 -.1 0 -1 .6 -.1 .3 -.1 .85 .5 .14 .5 .14 1")]),
        ("cross", [_points("-.3 -1 .3 -1 .3 -.3 1 -.3 1 .3 .3 .3 .3 1 -.3 1 -.3 .3 -1 .3 -1 -.3 -.3 -.3")]),
        ("fish", [_rounded("-1 0 -.55 -.5 .2 -.5 .55 -.12 1 -.6 .85 0 1 .6 .55 .12 .2 .5 -.55 .5")]),
        ("house", [_points("-.75 1 -.75 -.1 -1 -.1 0 -1 1 -.1 .75 -.1 .75 1"), _points("-.2 1 -.2 .35 .2 .35 .2 1")]),
        ("moon", [_moon()]),
        ("bottle", [_rounded("-.4 1 -.45 0 -.16 -.4 -.18 -1 .18 -1 .16 -.4 .45 0 .4 1", 1)]),
        ("box", [_points("-.85 -.8 .85 -.8 .85 .8 -.85 .8")]),
        ("cone", [_points("0 -1 .9 .85 -.9 .85")]),
        ("heart", [_rounded("0 1 -.95 .1 -.95 -.6 -.5 -.95 0 -.45 .5 -.95 .95 -.6 .95 .1", 1)]),
        ("arrow", [_points("-1 -.28 .15 -.28 .15 -.8 1 0 .15 .8 .15 .28 -1 .28")]),
        ("drop", [_rounded("0 -1.2 .35 -.4 .75 .3 .6 .9 0 1.05 -.6 .9 -.75 .3 -.35 -.4")]),
        ("bolt", [_points(".2 -1 -.65 .15 -.1 .15 -.35 1 .65 -.25 .08 -.25 .5 -1")]),
        ("gear", [_star(9, 0.68), ellipse((0, 0), (0.28, 0.28))]),
        ("cup", _cup()),
        ("leaf", [_rounded("-1 .6 -.8 -.3 0 -.8 1 -.8 .9 .1 .4 .7 -.4 .75", 1)]),
        ("bird", [_rounded("-1 -.55 -.35 -.6 0 -.05 .35 -.6 1 -.55 .5 .05 .15 .35 0 .8 -.15 .35 -.5 .05", 1)]),
    ]


def _points(text: str) -> np.ndarray:
    return np.array(text.split(), float).reshape(-1, 2)


def _rounded(text: str, rounds: int = 2) -> np.ndarray:
    return smooth_outline(_points(text), rounds)


def _star(tips: int, inner: float) -> np.ndarray:
    angle = np.pi * np.arange(2 * tips) / tips - np.pi / 2
    radius = np.where(np.arange(2 * tips) % 2, inner, 1.0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _car() -> list[np.ndarray]:
    body = _points("-1 .45 -1 .05 -.6 -.05 -.35 -.55 .4 -.55 .7 -.05 1 .05 1 .45 .78 .45")
    wheels = [ellipse((x, 0.45), (0.24, 0.24), 0, 0.5) for x in (0.52, -0.52)]
    windows = [_points("-.4 -.05 -.25 -.4 -.02 -.4 -.02 -.05"), _points(".08 -.05 .08 -.4 .3 -.4 .48 -.05")]
    return [np.concatenate([body, *wheels]), *windows]


def _moon() -> np.ndarray:
    outer, inner = ellipse((0, 0), (0.95, 0.95), 0.12, 0.88), ellipse((0.42, 0), (0.72, 0.72), 0.86, 0.14)
    return np.concatenate([outer, inner])


def _cup() -> list[np.ndarray]:
    handle = ellipse((0.45, 0), (0.5, 0.5), -0.25, 0.25)
    body = np.concatenate([_points("-.7 -.8 .5 -.8"), handle, _points(".4 .8 -.6 .8")])
    return [body, ellipse((0.5, 0), (0.26, 0.28), -0.25, 0.25)]
