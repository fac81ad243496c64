"""A face drawn from 40 attributes, with the eyes where CelebA's aligned photographs have them.

Features are drawn large enough to survive the reduction to 32x32. Whatever the attributes leave open (tone of skin,
background, clothes, pose, light) varies at random.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vicious.data.synthetic.texture import Points, ellipse, mirrored, natural_noise, rotation, side, smooth_outline

_WIDTH, _HEIGHT = 178, 218
_MIDDLE = np.array([89.0, 118.0])
_SKINS = ((241, 207, 180), (229, 188, 156), (211, 163, 128), (176, 124, 90), (124, 82, 58), (92, 60, 44))
_SKIN_RATES = (0.25, 0.3, 0.2, 0.12, 0.08, 0.05)
_HAIR = {
    "Black_Hair": (28, 24, 24),
    "Brown_Hair": (96, 60, 36),
    "Blond_Hair": (218, 180, 104),
    "Gray_Hair": (170, 170, 172),
}
_OTHER_HAIR = (150, 62, 30)
_IRISES = ((66, 42, 26), (92, 62, 36), (72, 98, 132), (82, 104, 72))
_LIPSTICKS = ((200, 20, 50), (215, 50, 105), (165, 15, 50))
_LIDS = ((120, 70, 120), (70, 80, 130), (110, 80, 60), (70, 65, 70))
_TIES = ((150, 20, 30), (25, 40, 120), (40, 40, 44), (20, 95, 60))
_PENDANTS = ((250, 240, 200), (200, 40, 60), (60, 140, 220))
_FRAMES = ((18, 18, 20), (70, 40, 24), (120, 24, 30))
_METALS = ((250, 214, 90), (226, 230, 238), (60, 180, 190))

Colour = tuple[int, ...]
"""Red, green and blue in [0, 255], perhaps an opacity."""


class _Pen:
    """Draws outlines given in the aligned face's coordinates, posed by a small turn, size and shift."""

    def __init__(self, image: Image.Image, rng: np.random.Generator) -> None:
        self._draw = ImageDraw.Draw(image, "RGBA")
        turn, self._size = rng.normal(0, 0.035), rng.normal(1, 0.035)
        self._matrix = self._size * rotation(turn).T
        self._shift = _MIDDLE + rng.normal(0, 1.5, 2)

    def fill(self, points: Points, colour: Colour, rounds: int = 0) -> None:
        self._draw.polygon(self._posed(smooth_outline(points, rounds)), fill=colour)

    def both(self, middle: float, part: Points, colour: Colour, rounds: int = 0) -> None:
        """The same outline on the left and on the right, of which x is the distance from ``middle``."""
        for sign in (-1, 1):
            self.fill(side(part, middle, sign), colour, rounds)

    def line(self, points: Points, colour: Colour, width: float, rounds: int = 0) -> None:
        outline = self._posed(smooth_outline(points, rounds, closed=False))
        self._draw.line(outline, fill=colour, width=max(1, round(width * self._size)), joint="curve")

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        self.fill(ellipse((x, y), (rx, ry)), colour)

    def _posed(self, points: np.ndarray) -> list[float]:
        values: list[float] = ((points - _MIDDLE) @ self._matrix + self._shift).ravel().tolist()
        return values


@dataclass(frozen=True)
class _Face:
    """What all parts of one face share: half its width at cheeks and jaw, the height of the chin, in pixels, and the
    sideways shift of eyes, nose and mouth, which reads as a turn of the head."""

    has: dict[str, bool]
    skin: Colour
    hair: Colour
    cloth: Colour
    cheek: float
    jaw: float
    chin: float
    look: float

    @property
    def x(self) -> float:
        """Middle of the features."""
        return 89 + self.look


def draw_face(has: dict[str, bool], rng: np.random.Generator) -> np.ndarray:
    """Draw one face, uint8 (218, 178, 3), RGB, with the attributes that ``has`` gives by name."""
    face = _face(has, rng)
    image = _background(rng)
    pen = _Pen(image, rng)
    _draw_back_hair(pen, face, rng)
    _draw_body(pen, face, rng)
    _draw_head(pen, face)
    _draw_cheeks(pen, face)
    _draw_age(pen, face)
    _draw_beard(pen, face)
    _draw_eyes(pen, face, rng)
    _draw_nose(pen, face)
    _draw_mouth(pen, face, rng)
    _draw_front_hair(pen, face, rng)
    if has["Wearing_Hat"]:
        _draw_hat(pen, rng)
    if has["Eyeglasses"]:
        _draw_glasses(pen, face, rng)
    if has["Wearing_Earrings"]:
        _draw_earrings(pen, face, rng)
    # Out of focus, or just enough to smooth the edges of the outlines
    lens = ImageFilter.GaussianBlur(rng.uniform(3.5, 5.5)) if has["Blurry"] else ImageFilter.SMOOTH
    return _photographed(image.filter(lens), has, rng)


def _face(has: dict[str, bool], rng: np.random.Generator) -> _Face:
    skin = np.array(_SKINS[rng.choice(len(_SKINS), p=_SKIN_RATES)], float) + rng.normal(0, 6, 3)
    if has["Pale_Skin"]:
        skin = np.array([250.0, 232, 222]) + rng.normal(0, 3, 3)
    hair = next((colour for name, colour in _HAIR.items() if has[name]), _OTHER_HAIR)
    cheek = rng.normal(44, 1.2) + 6 * has["Chubby"] - 3 * has["Oval_Face"] + 1.5 * has["Male"]
    jaw = cheek * (0.66 + 0.14 * has["Male"] + 0.12 * has["Chubby"] - 0.08 * has["Oval_Face"])
    chin = rng.normal(184, 2) + 5 * has["Oval_Face"] - 2 * has["Chubby"]
    cloth = _colour(rng.integers(20, 230, 3))
    tone = _colour(np.array(hair) + rng.normal(0, 7))
    return _Face(has, _colour(skin), tone, cloth, cheek, jaw, chin, look=float(rng.normal(0, 2.5)))


def _colour(values: np.ndarray, opacity: int | None = None) -> Colour:
    rgb = tuple(int(value) for value in np.clip(values, 0, 255))
    return rgb if opacity is None else (*rgb, opacity)


def _shade(colour: Colour, factor: float, opacity: int | None = None) -> Colour:
    """Darker for factors below 1, lighter above."""
    return _colour(np.array(colour[:3]) * factor, opacity)


def _one_of(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return colours[rng.integers(len(colours))]


def _about(colours: tuple[Colour, ...], spread: float, rng: np.random.Generator) -> Colour:
    """One of some colours, varied."""
    return _colour(np.array(_one_of(colours, rng)) + rng.normal(0, spread, 3))


def _background(rng: np.random.Generator) -> Image.Image:
    """Blurred surroundings: a colour with large soft blotches."""
    base = rng.uniform(30, 225) + rng.normal(0, 22, 3)
    noise = natural_noise(28, 23, 4, rng)
    small = base + rng.uniform(8, 28) * noise[..., :1] + 6 * noise[..., 1:]
    return Image.fromarray(small.clip(0, 255).astype(np.uint8)).resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)


def _draw_back_hair(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    """What falls behind the head: long for women; waves are scalloped edges, straight hair hangs in plumb lines."""
    has = face.has
    if has["Bald"] or (has["Male"] and rng.random() < 0.93):
        return
    bottom, width = rng.uniform(165, 235), face.cheek + rng.uniform(11, 19)
    height, wave = np.linspace(70, bottom, 15), np.arange(15) * 2 * np.pi / 4
    if has["Wavy_Hair"]:
        sides = width + 4 + 6 * np.sin(wave + rng.uniform(0, 6))
    else:
        sides = np.full(15, width - 3 * has["Straight_Hair"]) + (0 if has["Straight_Hair"] else rng.normal(0, 1.2, 15))
    hanging = np.stack([sides, height], axis=1)
    crown = ellipse((89, 84), (width, 56), 0.5, 1)
    pen.fill(np.concatenate([side(hanging, 89, -1)[::-1], crown, side(hanging, 89)]), _shade(face.hair, 0.8))
    for x in rng.uniform(-width, width, 8):
        strand = 89 + x + (4 if has["Wavy_Hair"] else 0) * np.sin(wave)
        pen.line(np.stack([strand, height], axis=1), _shade(face.hair, rng.uniform(0.6, 1.15), 170), 2)


def _draw_body(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    """Neck, shoulders and what is worn there."""
    neck, shoulder = (30, 96) if face.has["Male"] else (22, 76)
    slope = [(-shoulder, 245), (-shoulder * 0.8, 208), (0, 192), (shoulder * 0.8, 208), (shoulder, 245)]
    pen.fill(side(slope, 89), face.cloth, 2)
    throat = [(-neck, 160), (neck, 160), (neck + 4, 206), (0, 226), (-neck - 4, 206)]
    pen.fill(side(throat, 89), _shade(face.skin, 0.8), 1)
    if face.has["Wearing_Necktie"]:
        pen.fill([(59, 194), (89, 208), (119, 194), (126, 222), (52, 222)], (240, 240, 242))
        pen.fill([(81, 199), (97, 199), (94, 209), (101, 230), (77, 230), (84, 209)], _about(_TIES, 10, rng))
    if face.has["Wearing_Necklace"]:
        pen.line(ellipse((89, 192), (neck + 5, 19), 0.04, 0.46), (240, 208, 96), 3)
        pen.oval(89, 212, 4.5, 4.5, _one_of(_PENDANTS, rng))


def _draw_head(pen: _Pen, face: _Face) -> None:
    has, cheek, jaw, chin = face.has, face.cheek, face.jaw, face.chin
    for sign in (-1, 1):
        pen.oval(89 + sign * (cheek + 1), 121, 7, 13, _shade(face.skin, 0.9))
    half = [(0.0, 50.0), (cheek * 0.62, 54), (cheek * 1.02, 82), (cheek * 1.03, 120), (cheek * 0.95, 145), (jaw, 166)]
    half += [(jaw * (0.62 if has["Male"] else 0.45), chin), (0, chin + 2)]
    if has["Double_Chin"]:
        pen.fill(ellipse((89, chin - 4), (jaw * 1.02, 17)), _shade(face.skin, 0.93))
        pen.line(ellipse((89, chin - 5), (jaw * 0.98, 17), 0.03, 0.47), _shade(face.skin, 0.62), 3)
    pen.fill(mirrored(half, 89), face.skin, 2)
    if has["Double_Chin"]:
        pen.line(ellipse((89, chin - 14), (jaw * 0.72, 14), 0.05, 0.45), _shade(face.skin, 0.68), 3)
    # Light falls from the front: the sides of the face are a little darker
    part = [(cheek, 75), (cheek * 1.03, 120), (cheek * 0.95, 145), (jaw, 166), (jaw * 0.78, 150), (cheek * 0.8, 118)]
    pen.both(89, part, _shade(face.skin, 0.86, 120), 2)


def _draw_cheeks(pen: _Pen, face: _Face) -> None:
    for sign in (-1, 1):
        x = face.x + sign * 27
        if face.has["High_Cheekbones"]:
            hollow = side([(40, 130), (36, 148), (24, 155), (30, 141)], face.x, sign)
            pen.fill(hollow, _shade(face.skin, 0.68, 150), 2)
            pen.oval(x, 128, 9, 5, _shade(face.skin, 1.2, 170))
        if face.has["Rosy_Cheeks"]:
            for radius in (13, 10, 7):
                pen.oval(x, 135, radius, radius * 0.75, (235, 70, 90, 90))


def _draw_age(pen: _Pen, face: _Face) -> None:
    """Wrinkles of the old; smooth, bright skin of the attractive."""
    wrinkle = _shade(face.skin, 0.68, 200)
    if not face.has["Young"]:
        for height in (72, 79, 86):
            pen.line([(face.x - 24, height + 2), (face.x, height), (face.x + 24, height + 2)], wrinkle, 2, 1)
        for sign in (-1, 1):
            pen.line(side([(14, 136), (22, 146), (24, 158)], face.x, sign), wrinkle, 3, 1)
            pen.line(side([(33, 108), (40, 104)], face.x, sign), wrinkle, 2)
            pen.line(side([(33, 112), (40, 115)], face.x, sign), wrinkle, 2)
    if face.has["Attractive"]:
        pen.oval(face.x, 86, 19, 9, _shade(face.skin, 1.16, 150))
        pen.oval(face.x, face.chin - 9, 8, 5, _shade(face.skin, 1.16, 150))


def _draw_beard(pen: _Pen, face: _Face) -> None:
    has, cheek, chin = face.has, face.cheek, face.chin
    dark = np.minimum(np.array(face.hair) * 0.75, 150)
    jaw = [(cheek * 0.98, 130), (cheek * 0.93, 147), (face.jaw, 167), (face.jaw * 0.5, chin), (0, chin + 3)]
    inner = [(0, 140), (15, 140), (cheek * 0.72, 146)]
    area = np.concatenate([mirrored(jaw, 89), side(inner, 89, -1)[::-1], side(inner, 89)])
    if has["5_o_Clock_Shadow"]:
        pen.fill(area, (52, 52, 62, 85), 1)
    elif not has["No_Beard"] and not (has["Goatee"] or has["Mustache"] or has["Sideburns"]):
        pen.fill(area, _colour(dark, 220), 1)  # a full beard
    if has["Goatee"]:
        pen.fill(side([(-14, 163), (14, 163), (13, chin), (0, chin + 5), (-13, chin)], face.x), _colour(dark, 235), 1)
    if has["Mustache"]:
        lip = [(0, 140), (14, 142), (23, 151), (8, 149), (-8, 149), (-23, 151), (-14, 142)]
        pen.fill(side(lip, face.x), _colour(dark, 245), 1)
    if has["Sideburns"]:
        strip = [(cheek * 1.04, 92), (cheek * 1.05, 140), (cheek * 0.84, 146), (cheek * 0.84, 100)]
        pen.both(89, strip, _colour(dark, 235))


def _draw_eyes(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    has, y = face.has, 111.0
    iris = _about(_IRISES, 6, rng)
    opening = 2.4 if has["Narrow_Eyes"] else (6.4 if has["Attractive"] else 5.3) - 0.5 * has["Smiling"]
    gaze = rng.normal(0, 1.2)
    brow = _shade(face.hair if not has["Bald"] else (70, 50, 40), 0.6 if not has["Gray_Hair"] else 0.9)
    rise = 8 if has["Arched_Eyebrows"] else 1.5
    width = 8 if has["Bushy_Eyebrows"] else 4 if has["Male"] else 3
    for sign in (-1, 1):
        x = face.x + sign * 20
        pen.oval(x, y - 1, 13, opening + 4, _shade(face.skin, 0.84, 130))
        if has["Bags_Under_Eyes"]:
            bag = [(x - 11, y + 6), (x + 11, y + 6), (x + 8, y + 15), (x - 8, y + 15)]
            pen.fill(bag, _colour(np.array(face.skin) * [0.55, 0.5, 0.58], 150), 1)
            pen.line(ellipse((x, y + 6), (11, 8), 0.05, 0.45), _shade(face.skin, 0.55, 220), 2)
        if has["Heavy_Makeup"]:
            lid = [(x - 14, y), (x - 9, y - 11), (x + 9, y - 11), (x + 14, y)]
            pen.fill(lid, (*_LIDS[int(gaze * 10) % 4], 190), 1)
        pen.oval(x, y, 11, opening, (244, 242, 240))
        pen.oval(x + gaze, y, 5, min(5, opening), iris)
        pen.oval(x + gaze, y, 2.3, min(2.3, opening), (12, 10, 10))
        pen.oval(x + gaze + 1.5, y - 1.5, 1.1, 1.1, (255, 255, 255))
        lash = (20, 14, 14) if has["Heavy_Makeup"] else _shade(face.skin, 0.4)
        pen.line(ellipse((x, y), (11.5, opening + 0.5), 0.5, 1), lash, 4 if has["Heavy_Makeup"] else 2)
        if has["Heavy_Makeup"]:
            pen.line([(x + sign * 10, y - 1), (x + sign * 16, y - 5)], lash, 3)
        shape = side([(-13, 100), (-2, 99 - rise * 0.7), (7, 98 - rise), (16, 101)], x, sign)
        pen.line(shape, brow, width, 2)


def _draw_nose(pen: _Pen, face: _Face) -> None:
    has, x = face.has, face.x
    width = 17 if has["Big_Nose"] else 6.5 if has["Pointy_Nose"] else 10
    tip = 138 if has["Pointy_Nose"] else 135
    dark, light = _shade(face.skin, 0.72, 210), _shade(face.skin, 1.15, 200)
    bridge = side([(3, 104), (4, 124), (width, 134), (2, 133)], x, 1 if face.look >= 0 else -1)
    pen.fill(bridge, _shade(face.skin, 0.8, 170), 1)
    pen.line([(x, 106), (x, 128)], light, 4)
    if has["Big_Nose"]:
        pen.oval(x, 131, 14, 9, _shade(face.skin, 0.9))
        pen.oval(x, 129, 8, 5, _shade(face.skin, 1.08))
        for sign in (-1, 1):
            pen.line(ellipse((x + sign * 12, 132), (5, 5), 0, 1), dark, 2)
    elif has["Pointy_Nose"]:
        pen.fill([(x, 108), (x + 6, 134), (x, tip + 2), (x - 6, 134)], _shade(face.skin, 1.13, 190))
        pen.line([(x - 7, 133), (x, tip + 2), (x + 7, 133)], dark, 3)
    else:
        pen.line([(x - 9, 133), (x - 4, tip + 1), (x + 4, tip + 1), (x + 9, 133)], dark, 2, 1)
    for sign in (-1, 1):
        pen.oval(x + sign * width * 0.45, tip, 2.6, 1.7, _shade(face.skin, 0.4))


def _draw_mouth(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    """Lips between two curves; a smile is wide and turned up at the corners."""
    has, x, y = face.has, face.x, 155.0
    width = (21 if has["Smiling"] else 15) + rng.normal(0, 0.8)
    lift = 7 if has["Smiling"] else -0.5
    thick = 8.5 if has["Big_Lips"] else 4.5
    gap = (9 if has["Smiling"] else 7.5) if has["Mouth_Slightly_Open"] else 0
    lips = _colour(np.array(face.skin) * [0.82, 0.6, 0.6])
    if has["Wearing_Lipstick"]:
        lips = _about(_LIPSTICKS, 8, rng)
    corner, high, low = y - lift, y - thick - lift * 0.15, y + thick * 0.8 + gap
    top = [(-6, high), (0, y - thick * 0.75), (6, high)]
    bottom = [(width * 0.55, low), (0, y + thick * 1.25 + gap + lift * 0.25), (-width * 0.55, low)]
    pen.fill(side([(-width, corner), *top, (width, corner), *bottom], x), lips, 2)
    if gap:
        rim, floor = y - lift * 0.75, y + gap
        upper, lower = [(-width * 0.82, rim), (0, y), (width * 0.82, rim)], [(0, floor + 1), (-width * 0.4, floor)]
        pen.fill(side([*upper, (width * 0.4, floor), *lower], x), (62, 16, 20), 1)
        if has["Smiling"] or rng.random() < 0.5:
            edge, end = y - lift * 0.6, y + gap * 0.55
            teeth = [(-width * 0.72, edge), (0, y), (width * 0.72, edge), (width * 0.4, end), (-width * 0.4, end)]
            pen.fill(side(teeth, x), (246, 242, 234), 1)
    else:
        closed = [(-width, corner), (-width * 0.4, y + 0.5), (width * 0.4, y + 0.5), (width, corner)]
        pen.line(side(closed, x), _shade(lips, 0.45), 2, 2)
    if has["Smiling"]:
        for sign in (-1, 1):
            pen.line(side([(17, 137), (25, 146), (25, 152)], x, sign), _shade(face.skin, 0.75, 180), 2, 1)


def _draw_front_hair(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    """The hair around the brow: a cap whose lower edge is the hairline."""
    has, left, right = face.has, 89 - face.cheek, 89 + face.cheek
    if has["Bald"]:
        pen.oval(face.x + 8, 64, 14, 6, _shade(face.skin, 1.2, 170))
        return
    crown = ellipse((89, 88), (face.cheek + 5, rng.uniform(50, 60)), 0.48, 1.02)
    height, part = rng.uniform(68, 76), 89 + rng.normal(0, 12)
    temple = 104 if has["Male"] else 118
    line: list[tuple[float, float]]
    if has["Receding_Hairline"]:
        line = [(right - 2, 96), (125, 66), (114, 50), (98, 57), (89, 59), (80, 57), (64, 50), (53, 66), (left + 2, 96)]
    elif has["Bangs"]:
        ends = np.linspace(face.cheek - 2, -(face.cheek - 2), 9)
        line = [(89.0 + dx, 98.0 + (3 if step % 2 else -2)) for step, dx in enumerate(ends)]
    else:
        parting = [(part + 14, height), (part, height - 8), (part - 14, height)]
        line = [(right - 3, temple), (right - 8, 86), *parting, (left + 8, 86), (left + 3, temple)]
    if has["Wavy_Hair"]:
        for x, y in crown[::3] + rng.normal(0, 1, crown[::3].shape):
            pen.oval(x, y, 8, 8, face.hair)
    pen.fill(np.concatenate([crown, line]), face.hair, 1)
    _draw_strands(pen, face, part, rng)


def _draw_strands(pen: _Pen, face: _Face, part: float, rng: np.random.Generator) -> None:
    """Light and dark strands from the parting outwards; waves make them curl."""
    wave = 5.0 if face.has["Wavy_Hair"] else 0.0
    low = 62 if face.has["Receding_Hairline"] else 74
    start, share = np.array([part, 44.0]), np.linspace(0.15, 1, 6)[:, None]
    for angle in np.linspace(0.55, 0.95, 7) + rng.normal(0, 0.015, 7):
        end = np.array([89 + face.cheek * np.cos(2 * np.pi * angle), 88 + 44 * np.sin(2 * np.pi * angle)])
        points = start + share * (end - start)
        points[:, 1] = np.minimum(points[:, 1], low) + wave * np.sin(np.arange(6) * 2.2 + angle * 40)
        pen.line(points, _shade(face.hair, rng.choice([0.7, 1.3]), 150), 2)


def _draw_hat(pen: _Pen, rng: np.random.Generator) -> None:
    colour = _colour(rng.uniform(15, 225, 3))
    brim = rng.uniform(52, 82)
    pen.fill(ellipse((89, 74), (rng.uniform(50, 56), rng.uniform(52, 68)), 0.5, 1), colour)
    pen.fill(ellipse((89, 76), (brim, 9)), _shade(colour, 0.75))
    pen.line([(40, 68), (89, 64), (138, 68)], _shade(colour, rng.choice([0.5, 1.5])), 6, 1)


def _draw_glasses(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    frame = _one_of(_FRAMES, rng)
    dark, ry, width = rng.random() < 0.25, rng.uniform(11, 14), rng.uniform(3, 5)
    for sign in (-1, 1):
        x = face.x + sign * 20.5
        lens = ellipse((x, 112), (17, ry))
        pen.fill(lens, (20, 20, 26, 225) if dark else (225, 235, 245, 60))
        pen.line(lens, frame, width)
        pen.line([(x + sign * 17, 110), (89 + sign * (face.cheek + 3), 107)], frame, width)
    pen.line([(face.x - 5, 110), (face.x + 5, 110)], frame, width)


def _draw_earrings(pen: _Pen, face: _Face, rng: np.random.Generator) -> None:
    metal, drop = _one_of(_METALS, rng), rng.uniform(0, 12)
    for sign in (-1, 1):
        x = 89 + sign * (face.cheek + 5)
        pen.line([(x, 134), (x, 138 + drop)], metal, 2)
        pen.oval(x, 141 + drop, 5.5, 6.5, metal)
        pen.oval(x - 1.5, 139 + drop, 1.5, 1.5, (255, 255, 255))


def _photographed(image: Image.Image, has: dict[str, bool], rng: np.random.Generator) -> np.ndarray:
    """Light from one side, a tint, and the sensor's noise."""
    across = 1 + rng.normal(0, 0.1) * np.linspace(-1, 1, _WIDTH, dtype=np.float32)
    light = across[None, :, None] * (rng.uniform(0.82, 1.08) * (1 + rng.normal(0, 0.03, 3))).astype(np.float32)
    pixels = np.asarray(image, np.float32) * light.astype(np.float32)
    if not has["Blurry"]:
        grain = np.frombuffer(rng.bytes(_HEIGHT * _WIDTH), np.uint8).reshape(_HEIGHT, _WIDTH, 1)
        pixels += (grain - np.float32(127.5)) * np.float32(rng.uniform(0.02, 0.08))
    return pixels.clip(0, 255, out=pixels).astype(np.uint8)
