"""Figure 1: test images, and their reconstructions from the outputs of an honest and of a vicious model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vicious.report import frames
from vicious.report.gallery import (
    Gallery,
    Strip,
    check_same_images,
    decibel,
    draw_strips,
    load_gallery,
    read_galleries,
)
from vicious.report.headline import headline, one_of_each
from vicious.report.style import DOUBLE, SINGLE, new_figure, plain, style, write_figure
from vicious.system.errors import DataError

MAX_IMAGES = 8
"""Images shown of each task: more would be too small to judge at column width."""
_LABELS = ("post-hoc\non honest", "vicious")


@dataclass(frozen=True)
class Panel:
    """One task of the figure; a gallery is None where its model or attack failed."""

    task: str
    source: str
    honest: Gallery | None
    vicious: Gallery | None


def write(assessments: Sequence[Path], out: Path) -> tuple[Path, ...]:
    """Write figure1.pdf, figure1.png and figure1.md below ``out``, and return their paths.

    Of each task, the first seed of the honest and of the vicious model with the smallest beta_R, on logits where there
    are any. A gallery that is not there or holds no image is drawn as failed.

    Args:
        assessments: summaries of assessments (JSON); galleries lie beside.
        out: folder.

    Raises:
        DataError: a file is damaged, or no attack of the figure was assessed.
        MixedResultsError: results of different configurations, or galleries of different test images.
        StorageError: a file cannot be written.
    """
    summary = read_galleries(assessments)
    shown = _shown(summary)
    files = {(row["task"], row["role"]): row["gallery"] for row in shown.to_dict("records")}
    tasks = dict.fromkeys(str(task) for task in shown["task"])
    galleries = [(task, files.get((task, "honest")), files.get((task, "vicious"))) for task in tasks]
    panels = load_panels(shown, galleries)
    return write_figure(1, figure1(panels), caption(summary, panels), Path(out))


def load_panels(summary: pd.DataFrame, galleries: Sequence[tuple[str, Path | None, Path | None]]) -> list[Panel]:
    """A panel for each (task, honest gallery, vicious gallery), in catalogue order.

    Raises:
        DataError: a gallery is damaged, or the summary does not know its task.
        MixedResultsError: a task's two galleries show different test images.
    """
    source = frames.sources(summary)
    unknown = sorted({task for task, _, _ in galleries} - set(source))
    if unknown or not galleries:
        raise DataError(
            f"galleries of {', '.join(unknown) or 'no task'}, but the summary has {', '.join(source)}: "
            "give the galleries of the tasks in the summary"
        )
    panels = [
        Panel(task, source[task], load_gallery(honest), load_gallery(vicious))
        for task, honest, vicious in sorted(galleries, key=lambda item: frames.order(item[0]))
    ]
    for panel in panels:
        check_same_images({"post-hoc on honest": panel.honest, "vicious": panel.vicious}, panel.task)
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


def caption(summary: pd.DataFrame, panels: Sequence[Panel]) -> str:
    """The caption, with the settings of the models shown and what failed; ``summary`` has those of all seeds."""
    shown = _shown(summary.loc[summary["task"].isin([panel.task for panel in panels])])
    failed = [
        f"{frames.title(panel.task)} ({name})"
        for panel in panels
        for name, gallery in (("post-hoc attack on honest", panel.honest), ("vicious", panel.vicious))
        if gallery is None
    ]
    note = f" Failed, without a gallery: {', '.join(failed)}." if failed else ""
    return (
        "Reconstructions from model outputs. Of each dataset, the same test images: the originals, the post-hoc "
        "attack on an honest model, and the attack trained together with a vicious model. Galleries come from one "
        "model each. Figures in dB: PSNR, mean over the images shown. "
        f"{frames.settings(shown, all_seeds=summary)}{note}"
    )


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    shown = headline(one_of_each(summary))
    return shown.loc[shown["role"] != "autoencoder"]


def _draw(ax: Axes, panel: Panel) -> None:
    ax.set_title(plain(frames.marked_title(panel.task, panel.source)), pad=3)
    known = panel.honest or panel.vicious
    strips = [Strip("original", None if known is None else known.originals)]
    strips += [_strip(*both) for both in zip(_LABELS, (panel.honest, panel.vicious), strict=True)]
    draw_strips(ax, strips, MAX_IMAGES)


def _strip(label: str, gallery: Gallery | None) -> Strip:
    if gallery is None:
        return Strip(label, None)
    return Strip(f"{label}\n{decibel(gallery.first(MAX_IMAGES).psnr())}", gallery.reconstructions)
