"""What the shortcuts of the published code change in the numbers, measured on the results at hand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.metrics.image import decibels
from vicious.report import frames, render
from vicious.report.frames import Group
from vicious.report.render import Column, Line, Table
from vicious.report.text import ABOUT_SEEDS, Text, counts
from vicious.results.assessments import Assessment, read_assessments
from vicious.results.schema import ATTACK_OF, SUMMARY, check_table
from vicious.results.summaries import collect
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
Array = NDArray[np.float64]
BATCH = 250
"""Batch of the published code."""
CHANGES = ("ssim", "risk", "psnr")
_COLUMNS = (
    *("dataset", "task", "title", "source", "role", "attack", "outputs", "beta_r", "seeds", "n_images", "last_batch"),
    *CHANGES,
    *render.spread_names(f"{name}_change" for name in CHANGES),
    "failures",
)


def batched_mean(values: Array, batch: int = BATCH) -> float:
    """Mean of the means of batches in order; each image of a short last one weighs more. Shapes: (n,), n at least 1."""
    return float(np.mean([values[start : start + batch].mean() for start in range(0, len(values), batch)]))


def full_batches_mean(values: Array, batch: int = BATCH) -> float:
    """Mean without the images at the end that do not fill a batch; NaN where none is full. Shapes: (n,)."""
    kept = values[: len(values) // batch * batch]
    return float(kept.mean()) if len(kept) else float("nan")


def psnr_of_mean(mse: Array) -> float:
    """PSNR, in dB for a data range of 1, of the mean of squared errors. Shapes: (n,)."""
    return float(decibels(mse.mean()))


def changes(images: pd.DataFrame) -> dict[str, float]:
    """What each shortcut adds to the mean over test images, a row each in test order; 0 where rounding is all there is.

    ``ssim``: the mean of batch means, minus the mean; ``risk``: the mean without the last images that fill no batch,
    minus the mean, NaN where no batch is full; ``psnr``: of the mean MSE, minus the mean PSNR, in dB.
    """
    ssim, risk, mse, psnr = (images[name].to_numpy(dtype=float) for name in ("ssim", "risk", "mse", "psnr"))
    found = {
        "ssim": batched_mean(ssim) - ssim.mean(),
        "risk": full_batches_mean(risk) - risk.mean(),
        "psnr": psnr_of_mean(mse) - psnr.mean(),
    }
    return {name: 0.0 if abs(value) < 1e-12 else float(value) for name, value in found.items()}


def numbers(found: Sequence[Assessment], summary: pd.DataFrame) -> pd.DataFrame:
    """A row for each task, kind of outputs and attack.

    The attacks are the original's: the best one takes each measure from another attack, so that PSNR of its mean MSE
    and its mean PSNR would not be of the same images.

    ``ssim``, ``risk`` and ``psnr`` are the means over images and seeds; their ``_change`` is what :func:`changes`
    gives. ``n_images`` counts the test images, ``last_batch`` those in the last batch. The Parquets of the assessments
    ``found``, of which ``summary`` is the summary, are read one at a time.
    """
    check_table(SUMMARY, summary)
    source = frames.sources(summary)
    by_key = {one.key: one for one in found}
    rows = [_row(group, by_key) | {"source": source[group.task]} for group in frames.groups(summary, ATTACK_OF)]
    return render.numbers(rows, _COLUMNS)


def lines(table: pd.DataFrame) -> list[Line]:
    return render.once(map(_line, table.to_dict("records")), ("title",), ("outputs",))


def columns(table: pd.DataFrame) -> list[Column]:
    return [
        Column("title", "Dataset", text=True),
        *render.outputs_column(table["outputs"]),
        Column("label", "Model and attack", text=True),
        Column("images", "Test images", "Images"),
        Column("last", "Last batch"),
        Column("ssim", "SSIM, mean of batch means", r"\shortstack{SSIM, mean\\of batch means}", decimals=5),
        Column("risk", "R, last batch dropped", r"\shortstack{$R$, last\\batch dropped}", decimals=5),
        Column("psnr", "PSNR of the mean MSE (dB)", r"\shortstack{PSNR of the\\mean MSE (dB)}"),
    ]


def text(summary: pd.DataFrame) -> Text:
    groups = frames.groups(summary, ATTACK_OF)
    return Text(
        "What three shortcuts change: the measure with the shortcut minus the measure without it, on the same test "
        f"images in the same order, in batches of {BATCH}; the original study's attacks. SSIM and R have no unit, PSNR "
        f"is in dB. {counts(groups)}",
        (
            "SSIM as the mean of batch means, and R without the images at the end that fill no batch (published code); "
            "PSNR of the mean MSE in place of the mean PSNR of single images.",
            f"Last batch: its number of images; where it is {BATCH}, the first two change nothing. An en dash: no "
            "batch is full.",
            ABOUT_SEEDS,
            frames.conditions(summary, found=groups),
        ),
        frames.failures(groups),
    )


def write(assessments: Iterable[Path], out: Destination) -> tuple[Path, ...]:
    """Write the table from the summaries of assessments (JSON); beside each stands its Parquet."""
    found = read_assessments(assessments)
    summary = collect(found)
    table = numbers(found, summary)
    return render.write(out, Table(table, columns(table), lines(table), text(summary)))


def _line(row: Mapping[Any, Any]) -> Line:
    images, last = (None if pd.isna(row[name]) else int(row[name]) for name in ("n_images", "last_batch"))
    cells = {name: render.cell_of(row, f"{name}_change") for name in CHANGES}
    return {
        "title": frames.marked_title(row["task"], row["source"]),
        "outputs": row["outputs"],
        "label": frames.attack_title(row["role"], row["beta_r"], row["attack"]),
        "images": images or "none",
        "last": last or "none",
        **cells,
        "risk": None if images is not None and images < BATCH else cells["risk"],
    }


def _row(group: Group, found: dict[tuple[Any, ...], Assessment]) -> dict[str, Any]:
    seeds = [one.images(["ssim", "risk", "mse", "psnr"]) for one in group.assessments(found)]
    n = len(seeds[0]) if seeds else None
    row = group.facts() | {"n_images": n, "last_batch": None if n is None else n % BATCH or BATCH}
    measured = [changes(images) for images in seeds]
    for name in CHANGES:
        cell = frames.over_seeds(np.array([one[name] for one in measured], dtype=float), group.planned)
        row |= {name: group.over_seeds(name).mean, **render.spread_columns({f"{name}_change": cell})}
    return row
