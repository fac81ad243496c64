"""Galleries: test images with their reconstructions, read from what assessments wrote and drawn as rows of images."""

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from vicious.data.prepared import UNREADABLE
from vicious.data.splits import SIDE
from vicious.metrics.image import decibels
from vicious.report.style import GREY, RISK95, SMALL
from vicious.results.assessments import Assessment, read_assessments
from vicious.results.schema import MOST_BYTES, SUMMARY, check_table
from vicious.results.summaries import collect
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import open_regular

_GAP = 2  # white pixels between images
_AGAIN = "delete it and run the same command again"


@dataclass(frozen=True)
class Gallery:
    """Some test images and what an attack made of them: uint8 (m, C, side, side), and R95 of each where it was read."""

    originals: np.ndarray
    reconstructions: np.ndarray
    risk95: np.ndarray | None = None

    def psnr(self) -> float:
        """Mean over the images of the PSNR in dB, from 8-bit values; infinite for a perfect reconstruction."""
        difference = (self.originals.astype(float) - self.reconstructions.astype(float)) / 255.0
        with np.errstate(divide="ignore"):
            return float(np.mean(decibels(np.mean(difference**2, axis=(1, 2, 3)), floor=0.0)))

    def first(self, count: int) -> "Gallery":
        risk95 = None if self.risk95 is None else self.risk95[:count]
        return Gallery(self.originals[:count], self.reconstructions[:count], risk95)


@dataclass(frozen=True)
class Strip:
    """A row of images: uint8 of shape (m, C, side, side), or None where they could not be made."""

    label: str
    images: np.ndarray | None

    @classmethod
    def of(cls, label: str, gallery: Gallery | None) -> "Strip":
        """A gallery's reconstructions; below the label their mean PSNR in dB and, where it was read, R95."""
        if gallery is None:
            return cls(label, None)
        psnr = gallery.psnr()
        risk95 = "" if gallery.risk95 is None else f", {RISK95} = {gallery.risk95.mean():.2f}"
        return cls(f"{label}\n{'∞' if math.isinf(psnr) else f'{psnr:.1f}'} dB{risk95}", gallery.reconstructions)


def read_galleries(files: Sequence[Path], measure: str = "psnr") -> pd.DataFrame:
    """The summary of some assessments, with the column ``gallery``: the gallery file beside each.

    That of the best attack is the file of the attack that was chosen for ``measure``, whose assessment must be there.
    """
    found = read_assessments(files)
    frame = collect(found)
    known = {one.key: one for one in found}
    galleries = {key: _chosen(one, known, measure).gallery for key, one in known.items()}
    check_table(SUMMARY, frame, "the summaries of assessments")
    keys = frame[list(SUMMARY.key)].itertuples(index=False, name=None)
    return frame.assign(gallery=pd.Series([galleries[key] for key in keys], index=frame.index, dtype=object))


def _chosen(one: Assessment, known: Mapping[tuple[Any, ...], Assessment], measure: str) -> Assessment:
    """The attack that the best one is by a measure; any other attack itself."""
    name = one.record.get("choices", {}).get(measure)
    if name is None:
        return one
    key = tuple(name if column == "attack" else own for column, own in zip(SUMMARY.key, one.key, strict=True))
    if key not in known:
        raise DataError(f"{one.file} has the gallery of the attack {name}: give the assessment of that attack, too")
    return known[key]


def load_gallery(path: Path | None) -> Gallery | None:
    """The first test images of a gallery file; None without a file or an image, which is how a failure looks."""
    return _load(path, "")[0]


def load_extremes(path: Path | None) -> tuple[Gallery, Gallery] | None:
    """The test images with the highest and with the lowest R95, the most extreme first; as :func:`load_gallery`."""
    highest, lowest = _load(path, "highest_", "lowest_")
    return None if highest is None or lowest is None else (highest, lowest)


def check_same_images(galleries: Mapping[str, Gallery | None], task: str) -> None:
    """Refuse galleries, by what made them, that show different originals; those that failed show none."""
    shown = [(name, gallery) for name, gallery in galleries.items() if gallery is not None]
    for name, gallery in shown[1:]:
        if not np.array_equal(shown[0][1].originals, gallery.originals):
            raise MixedResultsError(
                f"the galleries of {task}, {shown[0][0]} and {name}, show different test images: "
                "delete both and run the same command again"
            )


def draw_strips(ax: Axes, strips: Sequence[Strip], count: int) -> list[float]:
    """Draw rows of images below each other, their labels on the left; "failed" across a row that has no images.

    At most ``count`` images of each are shown; an empty panel leaves room for as many, which so keeps the shape of the
    others. Returns where the middle of each image is, in pixels across.
    """
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, pad=2)
    known = [strip.images[:count] for strip in strips if strip.images is not None]
    like = known[0] if known else np.zeros((count, 1, SIDE, SIDE), np.uint8)
    rows = [_side_by_side(None if strip.images is None else strip.images[:count], like) for strip in strips]
    ax.imshow(np.concatenate(rows)[:-_GAP, :-_GAP], interpolation="none", aspect="equal")
    down, across = (side + _GAP for side in like.shape[2:])
    middles = [down * row + like.shape[2] / 2 for row in range(len(strips))]
    ax.set_yticks(middles, [strip.label for strip in strips])
    for middle, strip in zip(middles, strips, strict=True):
        if strip.images is None:
            ax.text(across * len(like) / 2, middle, "failed", ha="center", va="center", fontsize=SMALL, color=GREY)
    return [across * index + like.shape[3] / 2 for index in range(len(like))]


def _load(path: Path | None, *prefixes: str) -> list[Gallery | None]:
    if path is None or not path.exists():
        return [None for _ in prefixes]
    names = ("originals", "reconstructions", "risk95")
    try:
        with open_regular(path) as file:
            with zipfile.ZipFile(file) as members:
                if sum(one.file_size for one in members.infolist()) > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
            file.seek(0)
            arrays = np.load(file, allow_pickle=False)
            found = [Gallery(*(arrays[prefix + name] for name in names[: 3 if prefix else 2])) for prefix in prefixes]
    except (*UNREADABLE, KeyError, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"cannot read the gallery {path} ({error}): {_AGAIN}") from error
    for gallery in found:
        _check(gallery, path)
    return [gallery if len(gallery.originals) else None for gallery in found]


def _check(gallery: Gallery, path: Path) -> None:
    one, two, risk95 = gallery.originals, gallery.reconstructions, gallery.risk95
    images = one.shape == two.shape and one.ndim == 4 and one.shape[1] in (1, 3)
    if not images or {one.dtype, two.dtype} != {np.dtype(np.uint8)}:
        raise DataError(
            f"{path}: originals {one.shape} and reconstructions {two.shape} should be uint8 images of one shape "
            f"(m, 1 or 3, side, side): {_AGAIN}"
        )
    if risk95 is not None and (risk95.shape != one.shape[:1] or risk95.dtype.kind != "f"):
        raise DataError(f"{path}: risk95 {risk95.shape} should be a number for each of {len(one)} images: {_AGAIN}")


def _side_by_side(images: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    """Images (m, C, side, side) beside each other as one RGB image, with a white gap right of and below each.

    Without images, a light grey bar of the size of ``like`` (m, C, side, side).
    """
    if images is None:
        bar = np.full((like.shape[2], len(like) * (like.shape[3] + _GAP), 3), 240, np.uint8)
        return np.pad(bar, ((0, _GAP), (0, 0), (0, 0)), constant_values=255)
    rgb = np.broadcast_to(images, (images.shape[0], 3, *images.shape[2:]))
    padded = np.pad(rgb, ((0, 0), (0, 0), (0, _GAP), (0, _GAP)), constant_values=255)
    return np.concatenate(list(padded.transpose(0, 2, 3, 1)), axis=1)
