"""Test images, and their reconstructions from the outputs of an honest and of a vicious model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from vicious.report import frames, style
from vicious.report.galleries import Gallery, Strip, check_same_images, draw_strips, load_gallery, read_galleries
from vicious.report.headline import of_roles
from vicious.report.style import DOUBLE, SINGLE
from vicious.report.text import Text
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
MAX_IMAGES = 8  # images shown of each task: more would be too small to judge at column width
_OF_THREE = 5  # where three tasks stand side by side


@dataclass(frozen=True)
class Panel:
    """One task of the figure; a gallery is None where its model or attack failed."""

    task: str
    source: str
    honest: Gallery | None
    vicious: Gallery | None


def write(assessments: Sequence[Path], out: Destination) -> tuple[Path, ...]:
    """Of each task, the first seed of the honest and of the vicious model with the smallest beta_R, on logits where
    there are any. A gallery that is not there or holds no image is drawn as failed."""
    summary = read_galleries(assessments)
    shown = of_roles(summary, "honest", "vicious")
    files = {(row["task"], row["role"]): row["gallery"] for row in shown.to_dict("records")}
    tasks = dict.fromkeys(str(task) for task in shown["task"])
    panels = load_panels(shown, [(task, files.get((task, "honest")), files.get((task, "vicious"))) for task in tasks])
    return style.write_figure(out, draw(summary, panels), text(summary, panels))


def load_panels(summary: pd.DataFrame, galleries: Sequence[tuple[str, Path | None, Path | None]]) -> list[Panel]:
    """A panel for each (task, honest gallery, vicious gallery), in catalogue order."""
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
        check_same_images({"honest": panel.honest, "vicious": panel.vicious}, panel.task)
    return panels


@style.applied()
def draw(summary: pd.DataFrame, panels: Sequence[Panel]) -> Figure:
    across = _across(panels)
    down = math.ceil(len(panels) / across)
    words = frames.model_words(summary)
    around: dict[str, Any] = {"width": SINGLE if across == 1 else DOUBLE, "titles": [frames.attack_line(summary)]}
    with style.page(down, across, down * 1.3, **around) as (figure, axes):
        for ax, panel in zip(axes.flat, panels, strict=False):
            ax.set_title(style.plain(frames.marked_title(panel.task, panel.source)), pad=3)
            known = panel.honest or panel.vicious
            strips = [Strip("original", None if known is None else known.originals)]
            for label, gallery in ((words["honest"], panel.honest), (words["vicious"], panel.vicious)):
                label = label.replace(", ", ",\n")
                strips.append(Strip.of(label, None if gallery is None else gallery.first(_most(panels))))
            draw_strips(ax, strips, _most(panels))
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
    return figure


def _across(panels: Sequence[Panel]) -> int:
    """Panels side by side, so that none is left empty if that can be."""
    return 3 if len(panels) % 3 == 0 else min(2, len(panels))


def _most(panels: Sequence[Panel]) -> int:
    """Images shown of each task."""
    return _OF_THREE if _across(panels) == 3 else MAX_IMAGES


def text(summary: pd.DataFrame, panels: Sequence[Panel]) -> Text:
    """Caption and notes; ``summary`` has the models of all seeds."""
    here = summary.loc[summary["task"].isin([panel.task for panel in panels])]
    failed = [
        f"{frames.title(panel.task)} ({name}): no gallery"
        for panel in panels
        for name, gallery in (("honest", panel.honest), ("vicious", panel.vicious))
        if gallery is None
    ]
    attacks = frames.attack_words(summary)
    return Text(
        f"Reconstructions from model outputs: at most {_most(panels)} test images of each dataset, the "
        f"{attacks['honest']} on an honest model, and the {attacks['vicious']} on a vicious model. One model each. "
        "In dB: PSNR, mean over the images shown.",
        (
            frames.about_best(summary, "PSNR"),
            "The images are the same for all models, the first of the test set.",
            frames.conditions(of_roles(here, "honest", "vicious"), all_seeds=summary),
        ),
        failed,
    )
