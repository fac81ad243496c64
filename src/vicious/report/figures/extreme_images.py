"""The test images that a vicious model gives away most and least."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vicious.report import frames, style
from vicious.report.galleries import Gallery, Strip, draw_strips, load_extremes, read_galleries
from vicious.report.headline import of_roles
from vicious.report.style import DOUBLE, RISK95
from vicious.report.text import Text, best_attack
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
MAX_IMAGES = 8  # images shown at each end of a task
_SIDE = 0.6  # largest side of an image in inches
_MARGIN = 0.85  # width of the labels in inches


@dataclass(frozen=True)
class Row:
    """One task: its images with the highest and with the lowest R95, None where the model or its attack failed."""

    task: str
    source: str
    ends: tuple[Gallery, Gallery] | None


def write(assessments: Sequence[Path], out: Destination) -> tuple[Path, ...]:
    """Of each task, the first seed of the vicious model with the smallest beta_R, on logits where there are any. A
    gallery that is not there or holds no image is drawn as failed."""
    summary = read_galleries(assessments, "risk95")
    rows = load_rows(of_roles(summary, "vicious"))
    return style.write_figure(out, draw(rows), text(summary, rows))


def load_rows(vicious: pd.DataFrame) -> list[Row]:
    """A row for each of some assessments, as :func:`vicious.report.galleries.read_galleries` gives them."""
    if vicious.empty:
        raise DataError("no vicious model was assessed: give the summaries of the assessments of some")
    rows = vicious.to_dict("records")
    return [Row(str(row["task"]), str(row["source"]), load_extremes(row["gallery"])) for row in rows]


@style.applied()
def draw(rows: Sequence[Row]) -> Figure:
    """Draw each task's images, the highest R95 on the left and the lowest on the right, R95 below each image."""
    source = {row.task: row.source for row in rows}
    count = max((min(MAX_IMAGES, len(row.ends[0].originals)) for row in rows if row.ends is not None), default=1)
    side = min(_SIDE, (DOUBLE - _MARGIN) / 2 / count)
    height = 0.1 + (0.4 + 2.1 * side) * len(rows)
    with style.page(len(rows), 2, height, titles=[style.once(source)]) as (figure, axes):
        for (left, right), row in zip(axes, rows, strict=True):
            highest, lowest = row.ends or (None, None)
            for ax, end, gallery in ((left, "highest", highest), (right, "lowest", lowest)):
                ax.set_title(f"{style.heading(row.task, source)}: {end} {RISK95}", pad=3)
                shown = None if gallery is None else gallery.first(MAX_IMAGES)
                labels = ("original", "reconstruction") if ax is left else ("", "")
                images = (None, None) if shown is None else (shown.originals, shown.reconstructions)
                middles = draw_strips(ax, [Strip(*strip) for strip in zip(labels, images, strict=True)], MAX_IMAGES)
                if shown is not None and shown.risk95 is not None:
                    ax.set_xticks(middles, [f"{value:.2f}" for value in shown.risk95])
    return figure


def text(summary: pd.DataFrame, rows: Sequence[Row]) -> Text:
    """Caption and notes; ``summary`` has the models of all seeds."""
    return Text(
        f"Who is at risk, image by image: of the whole test set, at most {MAX_IMAGES} images each with the highest and "
        "with the lowest R95 (no unit) under a vicious model, and their reconstructions; one model of each dataset. "
        f"Below each image: its R95.{best_attack(summary)}",
        (
            frames.about_best(summary, "R95"),
            "R95 = 1 is no better than guessing the mean image. An image far from it may have a high R95 and still a "
            "coarse reconstruction.",
            frames.conditions(of_roles(summary, "vicious"), all_seeds=summary),
        ),
        [f"{frames.title(row.task)}: no gallery" for row in rows if row.ends is None],
    )
