"""Synthetic stand-in for MNIST: digits of many fonts, bent, slanted and thickened as by a hand."""

from functools import cache
from itertools import product
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from vicious.data.synthetic.texture import rotation

_SIDE, _BOX = 28, 20
_GLYPH, _HEIGHT, _CANVAS = 96, 62, 56
_FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "BolIta", "Italic")),
    *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
"""Fonts that matplotlib ships and whose digits have the usual shapes."""


def draw_digit(label: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one digit, uint8 (28, 28), light on black; fitted into 20x20 and centred by its mass as MNIST's are."""
    glyph = _glyph(_FONTS[rng.integers(len(_FONTS))], label)
    bent = glyph.transform((_CANVAS, _CANVAS), Image.Transform.MESH, _bend(rng), Image.Resampling.BILINEAR)
    soft = np.asarray(bent.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.6))), np.float32) / 255
    # Where a blurred stroke is cut decides how thick it is
    ink = np.clip((soft - rng.uniform(0.12, 0.32)) * rng.uniform(2.5, 5) + 0.5, 0, 1) * (soft > 0.02)
    tone = rng.uniform(232, 255) - rng.uniform(0, 25) * rng.random(ink.shape, dtype=np.float32)
    return _centre(Image.fromarray((ink * tone).astype(np.uint8)), _BOX - int(rng.integers(3)))


@cache
def _glyph(font: str, label: int) -> Image.Image:
    """The digit in white, of one height for all fonts, in the middle of a square."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    image = Image.new("L", (2 * _GLYPH, 2 * _GLYPH))
    ImageDraw.Draw(image).text((_GLYPH // 2, _GLYPH // 4), str(label), fill=255, font=ImageFont.truetype(str(path), 88))
    digit = image.crop(image.getbbox())
    digit = digit.resize((max(1, round(digit.width * _HEIGHT / digit.height)), _HEIGHT), Image.Resampling.LANCZOS)
    square = Image.new("L", (_GLYPH, _GLYPH))
    square.paste(digit, ((_GLYPH - digit.width) // 2, (_GLYPH - digit.height) // 2))
    return square


def _bend(rng: np.random.Generator) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """A mesh of four cells, boxes of the canvas with their corners in the glyph: turn, slant and stretch, with every
    node displaced a little more."""
    turn, slant = rng.normal(0, 0.13), rng.normal(0.1, 0.2)
    stretch = np.exp(rng.normal(0, [0.18, 0.08]))
    axis = np.array([-1.0, 0, 1])
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1)  # rows run down, last axis is x, y
    matrix = rotation(turn) @ [[1, slant], [0, 1]]
    source = (nodes @ matrix.T) * stretch + rng.normal(0, 0.085, nodes.shape)
    source = (source + 1) * _GLYPH / 2
    half, cells = _CANVAS // 2, []
    for row, column in product((0, 1), (0, 1)):  # corners go north-west, south-west, south-east, north-east
        corners = source[[row, row + 1, row + 1, row], [column, column, column + 1, column + 1]]
        box = (column * half, row * half, (column + 1) * half, (row + 1) * half)
        cells.append((box, tuple(corners.ravel().tolist())))
    return cells


def _centre(image: Image.Image, longest: int) -> np.ndarray:
    digit = image.crop(image.getbbox())
    scale = longest / max(digit.size)
    size = (max(1, round(digit.width * scale)), max(1, round(digit.height * scale)))
    small = np.asarray(digit.resize(size, Image.Resampling.BILINEAR))
    mass = small.sum(dtype=np.int64)
    top, left = (
        int(np.clip(round((_SIDE - 1) / 2 - small.sum(axis=1 - axis) @ np.arange(length) / mass), 0, _SIDE - length))
        for axis, length in enumerate(small.shape)
    )
    result = np.zeros((_SIDE, _SIDE), np.uint8)
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return result
