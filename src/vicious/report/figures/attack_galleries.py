"""Test images of each task, and what each attack reconstructs of them from each model's outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vicious.report import frames, style
from vicious.report.galleries import Gallery, Strip, check_same_images, draw_strips, load_gallery, read_galleries
from vicious.report.headline import one_of_each
from vicious.report.style import BETA, DOUBLE, SINGLE
from vicious.report.text import Text, best_attack
from vicious.results.assessments import read_images
from vicious.results.schema import Role
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
EACH_TASK = True
MAX_IMAGES = 10  # images shown of a task
_FEW = 4  # images that fit a single column
_SIDE = 0.68  # largest side of an image in inches
_LABELS = 1.45  # width of the labels in inches


@dataclass(frozen=True)
class Row:
    label: str
    gallery: Gallery | None


def write(assessments: Sequence[Path], out: Destination) -> tuple[Path, ...]:
    """A figure for each task and kind of outputs; of each model, the first seed."""
    summary = read_galleries(assessments)
    shown, words = one_of_each(summary), frames.model_words(summary)
    written: list[Path] = []
    for key, models in shown.groupby(["task", "outputs"], sort=False):
        task, outputs = cast(tuple[str, str], key)
        source = str(models["source"].iloc[0])
        rows = load_rows(task, [(_name(row, words), row["gallery"]) for row in models.to_dict("records")])
        part = out.part(f"{task}_{outputs}", f"{frames.title(task)}, {outputs}")
        around = text(task, source, outputs, rows, models)
        written += style.write_figure(part, draw(task, source, outputs, rows, frames.attack_line(models)), around)
    return tuple(written)


def load_rows(task: str, rows: Sequence[tuple[str, Path | None]]) -> list[Row]:
    """The rows with the images that are shown, from (label, gallery file), top to bottom.

    ``beta_R`` in a label is typeset. A gallery that is None, is not there or holds no image is drawn as failed. Where
    the attack's table of single images lies beside, as assessments leave it, R95 is shown.
    """
    if not rows:
        raise DataError(f"no gallery of {task}: give those of its attacks, the honest model's first")
    loaded = [Row(label, _load(path)) for label, path in rows]
    check_same_images({row.label: row.gallery for row in loaded}, task)
    return loaded


@style.applied()
def draw(task: str, source: str, outputs: str, rows: Sequence[Row], attack: str = "") -> Figure:
    """Draw the rows below the originals; ``attack`` is what the title says of the attack."""
    originals = next((row.gallery.originals for row in rows if row.gallery is not None), None)
    count = MAX_IMAGES if originals is None else len(originals)
    width = SINGLE if count <= _FEW else DOUBLE
    side = min(_SIDE, (width - _LABELS) / count)
    height = (0.55 if attack else 0.4) + side * 1.05 * (len(rows) + 1)
    with style.page(1, 1, height, width=width) as (figure, axes):
        lines = filter(None, [frames.marked_title(task, source), f"outputs: {outputs}", attack])
        axes[0, 0].set_title(style.plain("\n".join(lines)), pad=3)
        strips = [Strip.of(style.plain(row.label).replace("beta_R", BETA), row.gallery) for row in rows]
        draw_strips(axes[0, 0], [Strip("original", originals), *strips], count)
    return figure


def text(task: str, source: str, outputs: str, rows: Sequence[Row], models: pd.DataFrame | None = None) -> Text:
    """Caption and notes; ``models`` are the rows of the summary that are shown."""
    known = [row.gallery for row in rows if row.gallery is not None]
    risk = any(gallery.risk95 is not None for gallery in known)
    one = "one model for each row" + ("" if models is None else f", seed {int(models['seed'].min())}")
    autoencoder = any(row.label == "autoencoder" for row in rows)
    return Text(
        f"{frames.title(task)}: the first {len(known[0].originals) if known else 0} test images, and their "
        f"reconstructions from {outputs}; {one}. Below each name: PSNR in dB{' and R95 (no unit)' if risk else ''}, "
        f"mean over the images shown.{'' if models is None else best_attack(models)}",
        (
            "" if models is None else frames.about_best(models, "PSNR"),
            "R95 = 1 is no better than guessing the mean image; larger is worse for privacy." if risk else "",
            "Autoencoder: target and attack model trained for reconstruction alone." if autoencoder else "",
            f"Data: {frames.source_words(source)}.",
        ),
        [f"{row.label}: no gallery" for row in rows if row.gallery is None],
    )


def _name(row: Mapping[Any, Any], words: Mapping[Role, str]) -> str:
    return words[row["role"]] + (f", beta_R = {row['beta_r']:g}" if row["role"] == "vicious" else "")


def _load(path: Path | None) -> Gallery | None:
    gallery = load_gallery(path)
    if gallery is None or path is None:
        return None
    shown = gallery.first(MAX_IMAGES)
    return replace(shown, risk95=_risk95(path, len(shown.originals)))


def _risk95(gallery: Path, count: int) -> np.ndarray | None:
    """R95 of the first ``count`` test images, from the attack's table beside its gallery."""
    table = gallery.with_name(gallery.name.replace("gallery-", "risk-", 1)).with_suffix(".parquet")
    if not table.exists():
        return None
    values = read_images(table, ["risk95"])["risk95"].to_numpy()[:count]
    if len(values) != count:
        raise DataError(f"{table} has fewer test images than {gallery.name}: delete both and run `snakemake` again")
    return values
