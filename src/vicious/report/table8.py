"""Table 8: what the shortcuts of the published code change in the numbers, measured on the results at hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.report import frames, tables
from vicious.report.frames import Cell, Group
from vicious.report.tables import Column, Value
from vicious.results.assessments import KEY, Assessment, read_assessments
from vicious.results.summaries import collect

Array = NDArray[np.float64]
BATCH = 250
"""Batch of the published code."""
CHANGES = ("ssim", "risk", "psnr")
_SMALLEST_MSE = 1e-10
"""Where an MSE counts as zero: its PSNR is 100 dB, as it is of single images."""


def batched_mean(values: Array, batch: int = BATCH) -> float:
    """Mean of the means of batches in order, the last of which may be short: each of its images weighs more.

    Shapes: (n,), n at least 1.
    """
    return float(np.mean([values[start : start + batch].mean() for start in range(0, len(values), batch)]))


def full_batches_mean(values: Array, batch: int = BATCH) -> float:
    """Mean without the images at the end that do not fill a batch; NaN where none is full. Shapes: (n,)."""
    kept = values[: len(values) // batch * batch]
    return float(kept.mean()) if len(kept) else float("nan")


def psnr_of_mean(mse: Array) -> float:
    """PSNR, in dB for a data range of 1, of the mean of squared errors. Shapes: (n,)."""
    return float(-10 * np.log10(max(mse.mean(), _SMALLEST_MSE)))


def changes(images: pd.DataFrame) -> dict[str, float]:
    """What each shortcut adds to the mean over test images; 0 where rounding is all there is.

    Args:
        images: columns ``ssim``, ``risk``, ``mse`` and ``psnr``, a row per test image in test order.

    Returns:
        ``ssim``: the mean of batch means, less the mean; ``risk``: the mean without the last images that fill no batch,
        less the mean, NaN where no batch is full; ``psnr``: of the mean MSE, less the mean PSNR, in dB.
    """
    ssim, risk, mse, psnr = (images[name].to_numpy(dtype=float) for name in ("ssim", "risk", "mse", "psnr"))
    found = {
        "ssim": batched_mean(ssim) - ssim.mean(),
        "risk": full_batches_mean(risk) - risk.mean(),
        "psnr": psnr_of_mean(mse) - psnr.mean(),
    }
    return {name: 0.0 if abs(value) < 1e-12 else float(value) for name, value in found.items()}


def table8(found: Sequence[Assessment], summary: pd.DataFrame) -> pd.DataFrame:
    """The numbers of table 8, a row for each task, kind of outputs and attack.

    ``ssim``, ``risk`` and ``psnr`` are the means over images and seeds; their ``_change`` is what :func:`changes` gives,
    with ``_mean``, ``_sd`` (ddof 1, over seeds) and ``_n`` (seeds that succeeded). ``seeds`` counts those planned,
    ``n_images`` the test images, ``last_batch`` the images in the last batch. ``failures`` says why seeds have no
    result.

    Args:
        found: the assessments; one Parquet is read at a time.
        summary: rows of their summary.

    Raises:
        DataError: a Parquet is missing or damaged, or there is no post-hoc or joint attack.
        MixedResultsError: the rows mix configurations.
    """
    frames.check_summary(summary)
    source = frames.sources(summary)
    by_key = {one.key: one for one in found}
    rows = [_row(group, source[group.task], by_key) for group in frames.groups(summary)]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype({**dict.fromkeys(_INTEGERS, "Int64"), **dict.fromkeys(_FLOATS, "float64")})


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :func:`columns`."""
    printed: list[dict[str, Value]] = []
    before: tuple[Any, Any] = (None, None)
    for row in table.to_dict("records"):
        new_task, new = row["task"] != before[0], (row["task"], row["outputs"]) != before
        short = not pd.isna(row["n_images"]) and row["n_images"] < BATCH
        printed.append(
            {
                "title": frames.marked_title(row["task"], row["source"]) if new_task else "",
                "outputs": row["outputs"] if new else "",
                "label": _label(row),
                "images": "none" if pd.isna(row["n_images"]) else int(row["n_images"]),
                "last": "none" if pd.isna(row["last_batch"]) else int(row["last_batch"]),
                **{name: _cell(row, name) for name in CHANGES},
                **({"risk": None} if short else {}),
            }
        )
        before = (row["task"], row["outputs"])
    return printed


def columns(table: pd.DataFrame) -> list[Column]:
    """The columns to print; outputs are named where there are several kinds."""
    several = len(set(table["outputs"])) > 1
    return [
        Column("title", "Dataset", text=True),
        *([Column("outputs", "Outputs", text=True)] if several else []),
        Column("label", "Model and attack", text=True),
        Column("images", "Test images", "Images"),
        Column("last", "Last batch"),
        Column("ssim", "SSIM, mean of batch means", r"\shortstack{SSIM, mean\\of batch means}", decimals=5),
        Column("risk", "R, last batch dropped", r"\shortstack{$R$, last\\batch dropped}", decimals=5),
        Column("psnr", "PSNR of the mean MSE (dB)", r"\shortstack{PSNR of the\\mean MSE (dB)}"),
    ]


def caption(summary: pd.DataFrame) -> str:
    """The caption, with the settings used and how to read the cells."""
    return (
        "What three shortcuts, two of them the published code's, would change in this study's numbers: the number with "
        f"the shortcut minus that without, on the same test images in the same order, in batches of {BATCH}. SSIM as the "
        "mean of batch means, in which images of a short last batch weigh more (published code); R without the images "
        "at the end that fill no batch (published code); PSNR of the mean MSE in place of the mean PSNR of single "
        f"images. Last batch: its number of images; where it is full, {BATCH}, the first two change nothing. An en dash: "
        "no batch is full, so nothing would be left. Mean ± standard deviation over seeds, none for a single seed. "
        f"{frames.settings(summary)}"
    )


def write(assessments: Iterable[Path], out: Path) -> tuple[Path, ...]:
    """Write table8.csv, table8.md and table8.tex below ``out``, and return their paths.

    Args:
        assessments: summaries of the main comparison's assessments; beside each stands its Parquet.
        out: folder.

    Raises:
        DataError: a file is missing or damaged.
        MixedResultsError: two results are of the same cell, or those of one task used different data or settings.
        StorageError: a file cannot be written.
    """
    found = read_assessments(assessments)
    summary = collect(found)
    table = table8(found, summary)
    notes = frames.failures(frames.groups(summary))
    return tables.write(8, table, columns(table), lines(table), caption(summary), Path(out), notes)


_CHANGE_COLUMNS = tuple(f"{name}_change_{end}" for name in CHANGES for end in ("mean", "sd", "n"))
_INTEGERS = ("seeds", "n_images", "last_batch", *(f"{name}_change_n" for name in CHANGES))
_COLUMNS = (
    *("dataset", "task", "title", "source", "role", "attack", "outputs", "beta_r", "seeds", "n_images", "last_batch"),
    *CHANGES,
    *_CHANGE_COLUMNS,
    "failures",
)
_FLOATS = ("beta_r", *CHANGES, *(name for name in _CHANGE_COLUMNS if name not in _INTEGERS))


def _row(group: Group, source: str, found: dict[tuple[Any, ...], Assessment]) -> dict[str, Any]:
    keys = group.rows[list(KEY)].itertuples(index=False, name=None)
    seeds = [found[key].images(["ssim", "risk", "mse", "psnr"]) for key in keys if found[key].ok]
    n = len(seeds[0]) if seeds else None
    row = {
        **{"dataset": group.dataset, "task": group.task, "title": frames.title(group.task), "source": source},
        **{"role": group.role, "attack": frames.ATTACK_OF[group.role], "outputs": group.outputs},
        **{"beta_r": group.beta_r, "seeds": group.planned, "n_images": n},
        "last_batch": None if n is None else n % BATCH or BATCH,
        "failures": "; ".join(group.failures()),
    }
    measured = [changes(images) for images in seeds]
    for name in CHANGES:
        cell = frames.cell(np.array([one[name] for one in measured], dtype=float), group.planned)
        row[name] = group.cell(name).mean
        row |= {f"{name}_change_mean": cell.mean, f"{name}_change_sd": cell.sd, f"{name}_change_n": cell.ok}
    return row


def _cell(row: dict[Any, Any], name: str) -> Cell:
    mean, sd, n = (row[f"{name}_change_{end}"] for end in ("mean", "sd", "n"))
    return Cell(float(mean), float(sd), int(n), int(row["seeds"]))


def _label(row: dict[Any, Any]) -> str:
    labels = {"honest": "honest, post-hoc", "autoencoder": "autoencoder (upper bound)"}
    return labels.get(row["role"], f"vicious, beta_R = {row['beta_r']:g}")
