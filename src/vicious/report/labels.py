"""Placing text beside points so that it covers neither points nor other text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from vicious.report.style import GREY, PALE, SMALL

_RADII = (7.0, 11.0, 16.0, 23.0, 32.0, 44.0, 60.0, 80.0)
"""Distances tried, in typographic points."""
_ANGLES = np.deg2rad([0, 180, 90, 270, 30, 150, 330, 210, 60, 120, 300, 240])
_LEADER_FROM = 12.0
"""Distance, in typographic points, beyond which a thin line ties the text to its point."""
_CLEARLY_NEARER = 5.0
"""Typographic points by which text should be nearer to its own point than to any other."""
_ON_LEADER = np.linspace(0.25, 0.95, 12)


@dataclass(frozen=True)
class Label:
    """Text that may stand beside any of some anchors, points in data coordinates, the preferred first."""

    text: str
    anchors: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Candidate:
    """A free place: box (x0, y0, x1, y1) and anchor (x, y) in pixels, distance in typographic points."""

    box: np.ndarray
    anchor: np.ndarray
    distance: float

    @property
    def nearest(self) -> np.ndarray:
        """The point of the box that is nearest to the anchor."""
        return np.asarray(np.clip(self.anchor, self.box[:2], self.box[2:]))


@dataclass(frozen=True)
class _Scene:
    """In pixels: boxes (n, 4) to keep clear, the box (4,) of the axes, anchors (m, 2) of other labels.

    ``pixel`` is the number of pixels in a typographic point.
    """

    taken: np.ndarray
    inside: np.ndarray
    rivals: np.ndarray
    pixel: float

    def cost(self, candidate: _Candidate) -> float:
        """Distance, and a heavy price on covering something, leaving the axes, a leader through other things, doubt."""
        box = candidate.box
        area = float(np.prod(box[2:] - box[:2]))
        covered = float(_overlap(box, self.taken).sum()) / self.pixel**2
        outside = (area - float(_overlap(box, self.inside[None]).sum())) / self.pixel**2
        crossed = 0
        if candidate.distance > _LEADER_FROM:
            leader = candidate.anchor + _ON_LEADER[:, None] * (candidate.nearest - candidate.anchor)
            # What surrounds the anchor itself cannot be avoided.
            others = self.taken[~_contains(self.taken, candidate.anchor[None])[:, 0]]
            crossed = int(_contains(others, leader).sum())
        # A name that stands nearer to another point than to its own would be read as that point's.
        gap = np.clip(self.rivals, box[:2], box[2:]) - self.rivals
        nearest = float(np.hypot(*gap.T).min(initial=np.inf)) / self.pixel
        doubt = max(0.0, candidate.distance + _CLEARLY_NEARER - nearest)
        return 100 * covered + 500 * outside + 3 * crossed + 4 * doubt + candidate.distance


def place(ax: Axes, labels: Sequence[Label], points: Iterable[tuple[float, float]], half: float = 3.5) -> None:
    """Write each label near one of its anchors, at the nearest place that is free.

    Call it last, when the limits of the axes are final and the layout has been drawn once.

    Args:
        ax: where to write.
        labels: what to write; the first choose first.
        points: data coordinates to keep clear; lines are given as several points.
        half: half the side, in typographic points, of the square kept clear around each point.
    """
    pixel = ax.figure.dpi / 72
    centres = _pixels(ax, points)
    taken = np.hstack([centres - half * pixel, centres + half * pixel])
    inside = np.array(ax.get_window_extent().extents)
    for label in labels:
        rivals = {anchor for other in labels for anchor in other.anchors} - set(label.anchors)
        best = _best(ax, label, _Scene(taken, inside, _pixels(ax, sorted(rivals)), pixel))
        taken = np.vstack([taken, best.box + 1.5 * pixel * np.array([-1, -1, 1, 1])])
        _write(ax, label.text, best)


def _pixels(ax: Axes, points: Iterable[tuple[float, float]]) -> np.ndarray:
    """Data coordinates as pixels (n, 2)."""
    return np.asarray(ax.transData.transform(np.array(list(points), dtype=float).reshape(-1, 2)))


def _best(ax: Axes, label: Label, scene: _Scene) -> _Candidate:
    size = _size(ax, label.text)
    tried = product(_RADII, _pixels(ax, label.anchors), _ANGLES)
    return min(
        (_candidate(anchor, size, radius, angle, scene.pixel) for radius, anchor, angle in tried), key=scene.cost
    )


def _candidate(anchor: np.ndarray, size: np.ndarray, radius: float, angle: float, pixel: float) -> _Candidate:
    direction = np.array([np.cos(angle), np.sin(angle)])
    # The box touches the circle of this radius with the side, or the corner, that faces the anchor.
    low = anchor + radius * pixel * direction + size * (direction - 1) / 2
    return _Candidate(np.concatenate([low, low + size]), anchor, radius)


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Areas that ``box`` shares with each of ``others`` (n, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return np.asarray(sides.clip(min=0).prod(axis=1))


def _contains(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether each box (n, 4) contains each point (m, 2), as (n, m)."""
    inside = (points[None] >= boxes[:, None, :2]) & (points[None] <= boxes[:, None, 2:])
    return np.asarray(inside.all(axis=2))


def _size(ax: Axes, text: str) -> np.ndarray:
    """Width and height of the text in pixels."""
    probe = ax.text(0, 0, text, fontsize=SMALL)
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = probe.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    probe.remove()
    return np.array([box.width, box.height])


def _write(ax: Axes, text: str, candidate: _Candidate) -> None:
    to_data = ax.transData.inverted()
    x, y = to_data.transform((candidate.box[:2] + candidate.box[2:]) / 2)
    written = ax.text(x, y, text, fontsize=SMALL, color=GREY, ha="center", va="center", zorder=4)
    written.set_in_layout(False)
    if candidate.distance > _LEADER_FROM:
        ends = to_data.transform([candidate.nearest, candidate.anchor])
        ax.plot(ends[:, 0], ends[:, 1], color=PALE, linewidth=0.6, zorder=1, scalex=False, scaley=False)
