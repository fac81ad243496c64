"""Figure 1: test images, and their reconstructions from the outputs of an honest and of a vicious model."""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vicious.data.splits import SIDE
from vicious.errors import DataError, MixedResultsError
from vicious.report import frames
from vicious.report.style import DOUBLE, GREY, SINGLE, SMALL, new_figure, plain, style

MAX_IMAGES = 8
"""Images shown of each dataset: more would be too small to judge at column width."""
_GAP = 2
"""White pixels between images."""
_LABELS = ("original", "post-hoc\non honest", "vicious")


@dataclass(frozen=True)
class Gallery:
    """One gallery file: uint8 images of shape (m, C, side, side) and their reconstructions."""

    originals: np.ndarray
    reconstructions: np.ndarray

    def psnr(self) -> float:
        """Mean over the images of the PSNR in dB, from 8-bit values; infinite for a perfect reconstruction."""
        difference = (self.originals.astype(float) - self.reconstructions.astype(float)) / 255.0
        mse = np.mean(difference**2, axis=(1, 2, 3))
        with np.errstate(divide="ignore"):
            return float(np.mean(-10.0 * np.log10(mse)))


@dataclass(frozen=True)
class Panel:
    """One dataset of the figure; a gallery is None where its model or attack failed."""

    dataset: str
    source: str
    honest: Gallery | None
    vicious: Gallery | None


def load_gallery(path: Path | None) -> Gallery | None:
    """Read one gallery file; None where there is no file or it holds no image, which is how a failure looks.

    Raises:
        DataError: the file is damaged or its arrays are not uint8 images.
    """
    if path is None or not Path(path).exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            gallery = Gallery(arrays["originals"], arrays["reconstructions"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot read the gallery {path} ({error}): delete it and run the same command again"
        ) from error
    shapes = (gallery.originals.shape, gallery.reconstructions.shape)
    kinds = {gallery.originals.dtype, gallery.reconstructions.dtype}
    if shapes[0] != shapes[1] or len(shapes[0]) != 4 or shapes[0][1] not in (1, 3) or kinds != {np.dtype(np.uint8)}:
        raise DataError(
            f"{path}: originals {shapes[0]} and reconstructions {shapes[1]} should be uint8 images of one shape "
            "(m, 1 or 3, side, side): delete the file and run the same command again"
        )
    return gallery if len(gallery.originals) else None


def load_panels(summary: pd.DataFrame, galleries: Sequence[tuple[str, Path | None, Path | None]]) -> list[Panel]:
    """A panel for each (dataset, honest gallery, vicious gallery), in catalogue order.

    Raises:
        DataError: a gallery is damaged, or the summary does not know its dataset.
        MixedResultsError: a dataset's two galleries show different test images.
    """
    source = frames.sources(summary)
    unknown = sorted({dataset for dataset, _, _ in galleries} - set(source))
    if unknown or not galleries:
        raise DataError(
            f"galleries of {', '.join(unknown) or 'no dataset'}, but the summary has {', '.join(source)}: "
            "give the galleries of the datasets in the summary"
        )
    panels = [
        Panel(dataset, source[dataset], load_gallery(honest), load_gallery(vicious))
        for dataset, honest, vicious in sorted(galleries, key=lambda item: frames.order(item[0]))
    ]
    for panel in panels:
        _same_images(panel)
    return panels


def figure1(panels: Sequence[Panel]) -> Figure:
    """Draw the panels, two beside each other, one alone at single-column width."""
    with style():
        across = min(2, len(panels))
        down = math.ceil(len(panels) / across)
        figure = new_figure(SINGLE if across == 1 else DOUBLE, down * 1.3)
        axes = np.atleast_1d(np.asarray(figure.subplots(down, across))).ravel()
        for ax, panel in zip(axes, panels, strict=False):
            _draw(ax, panel)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
    return figure


def caption(summary: pd.DataFrame, panels: Sequence[Panel], expected_seeds: int | None = None) -> str:
    """The caption, with the settings used and what failed."""
    shown = summary.loc[summary["dataset"].isin([panel.dataset for panel in panels])]
    failed = [
        f"{frames.title(panel.dataset)} ({name})"
        for panel in panels
        for name, gallery in (("post-hoc attack on honest", panel.honest), ("vicious", panel.vicious))
        if gallery is None
    ]
    note = f" Failed, without a gallery: {', '.join(failed)}." if failed else ""
    return (
        "Reconstructions from model outputs. Of each dataset, the same test images: the originals, the post-hoc "
        "attack on an honest model, and the attack trained together with a vicious model. Galleries come from one "
        "model each. Figures in dB: PSNR, mean over the images shown. "
        f"{frames.settings(shown, expected_seeds)}{note}"
    )


def _same_images(panel: Panel) -> None:
    if panel.honest is None or panel.vicious is None:
        return
    if not np.array_equal(panel.honest.originals, panel.vicious.originals):
        raise MixedResultsError(
            f"the honest and the vicious gallery of {panel.dataset} show different test images: "
            "delete both and run the same command again"
        )


def _draw(ax: Axes, panel: Panel) -> None:
    ax.set_title(plain(frames.marked_title(panel.dataset, panel.source)), pad=3)
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(axis="y", length=0, pad=2)
    known = panel.honest or panel.vicious
    # A panel that failed as a whole keeps the shape of the others.
    originals = known.originals[:MAX_IMAGES] if known else np.zeros((MAX_IMAGES, 1, SIDE, SIDE), np.uint8)
    rows = [_strip(known.originals if known else None, originals)]
    rows += [_strip(one.reconstructions if one else None, originals) for one in (panel.honest, panel.vicious)]
    step = originals.shape[2] + _GAP
    ax.imshow(np.concatenate(rows)[:-_GAP, :-_GAP], interpolation="none", aspect="equal")
    middles = [step * row + originals.shape[2] / 2 for row in range(3)]
    ax.set_yticks(middles, _row_labels(panel))
    for middle, gallery in zip(middles, (known, panel.honest, panel.vicious), strict=True):
        if gallery is None:
            ax.text(step * len(originals) / 2, middle, "failed", ha="center", va="center", fontsize=SMALL, color=GREY)


def _row_labels(panel: Panel) -> list[str]:
    labels = [_LABELS[0]]
    for label, gallery in zip(_LABELS[1:], (panel.honest, panel.vicious), strict=True):
        number = "" if gallery is None else f"\n{_decibel(_first(gallery).psnr())}"
        labels.append(label + number)
    return labels


def _decibel(value: float) -> str:
    return "∞ dB" if math.isinf(value) else f"{value:.1f} dB"


def _first(gallery: Gallery) -> Gallery:
    return Gallery(gallery.originals[:MAX_IMAGES], gallery.reconstructions[:MAX_IMAGES])


def _strip(images: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    """Images (m, C, side, side) beside each other as one RGB image, with a white gap right of and below each.

    Without images, a light grey bar of the size of ``like`` (m, C, side, side).
    """
    if images is None:
        bar = np.full((like.shape[2], len(like) * (like.shape[3] + _GAP), 3), 240, np.uint8)
        return np.pad(bar, ((0, _GAP), (0, 0), (0, 0)), constant_values=255)
    images = images[:MAX_IMAGES]
    rgb = np.broadcast_to(images, (images.shape[0], 3, *images.shape[2:])) if images.shape[1] == 1 else images
    padded = np.pad(rgb, ((0, 0), (0, 0), (0, _GAP), (0, _GAP)), constant_values=255)
    return np.concatenate(list(padded.transpose(0, 2, 3, 1)), axis=1)
