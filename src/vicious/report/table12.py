"""Table 12: what a user can do to the outputs, what it costs in accuracy, and what an attack still reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.report import frames, mitigations, tables
from vicious.report.frames import Cell, Group
from vicious.report.mitigations import PERCENT, Treated
from vicious.report.tables import Column, Value

_SCALES = {"accuracy": PERCENT, "calibration_error": PERCENT, "psnr": 1.0, "ssim": 1.0, "risk": 1.0, "risk95": 1.0}
"""What measures are multiplied with, in the order of the table's columns."""


def write(summary: Path, out: Path) -> tuple[Path, ...]:
    """Write table12.csv, table12.md and table12.tex below ``out``, and return their paths.

    Args:
        summary: the mitigations' summary.
        out: folder.

    Raises:
        DataError: the summary is missing, damaged, or lacks a column.
        MixedResultsError: the summary mixes configurations.
        StorageError: a file cannot be written.
    """
    rows = mitigations.read(summary)
    found = mitigations.treated(rows)
    notes = frames.failures(mitigations.groups(found))
    return tables.write(12, table12(found), PRINTED, lines(found), caption(rows, found), Path(out), notes)


def table12(found: Sequence[Treated]) -> pd.DataFrame:
    """The numbers of table 12, a row for each task, kind of outputs and server (:data:`mitigations.SERVERS`) that was run.

    Accuracies and calibration errors are percentages, PSNR is in dB. Each measure has columns ``_mean``, ``_sd`` (ddof 1,
    over seeds) and ``_n`` (seeds that succeeded). ``beyond_label``: PSNR minus that of the attack on labels alone, over
    the seeds that both have; empty for these, or where there are none. ``failures`` names each seed without a result.
    """
    rows: list[dict[str, Any]] = []
    for one, server, group in _groups(found):
        if not group.planned:
            continue
        row = {
            "dataset": group.dataset,
            "title": frames.title(one.task),
            "source": group.rows["source"].iloc[0],
            "outputs": one.outputs,
            "role": group.role,
            "server": server,
            "beta_r": group.beta_r,
            "n_images": group.images,
            "seeds": group.planned,
        }
        cells = {**_cells(group), "beyond_label": _beyond(found, one, group)}
        for name, cell in cells.items():
            row |= {f"{name}_mean": cell and cell.mean, f"{name}_sd": cell and cell.sd, f"{name}_n": cell and cell.ok}
        rows.append(row | {"failures": "; ".join(group.failures())})
    frame = pd.DataFrame(rows)
    return frame.astype({name: "Int64" for name in frame if str(name).endswith("_n") or name == "n_images"})


PRINTED = (
    Column("title", "Dataset", text=True),
    Column("outputs", "Outputs", text=True),
    Column("model", "Model", text=True),
    Column("accuracy", "Accuracy (%)", r"Acc. (\%)", 1),
    Column("calibration_error", "Calibration error (%)", r"Cal. (\%)", 1),
    Column("psnr", "PSNR (dB)", decimals=2),
    Column("ssim", "SSIM", decimals=3),
    Column("risk", "R", "$R$", 2),
    Column("risk95", "R95", "$R_{95}$", 2),
    Column("beyond", "PSNR beyond the label (dB)", r"\shortstack{Beyond\\label (dB)}", decimals=2),
)


def lines(found: Sequence[Treated]) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :data:`PRINTED`."""
    printed: list[dict[str, Value]] = []
    before = ("", "")
    for one, server, group in _groups(found):
        source = next(str(other.rows["source"].iloc[0]) for other in one.groups.values() if other.planned)
        title = frames.marked_title(one.task, source)
        line = {
            "title": "" if one.task == before[0] else title,
            "outputs": "" if (one.task, one.outputs) == before else mitigations.title(one.outputs),
            "model": mitigations.NAMES.get(server, server),
        }
        printed.append({**line, **_cells(group), "beyond": _beyond(found, one, group)})
        before = (one.task, one.outputs)
    return printed


def caption(summary: pd.DataFrame, found: Sequence[Treated]) -> str:
    """The caption, with the settings used and how to read the cells."""
    return (
        "What a user can do to the outputs. On honest and on vicious models alike, an attack model is trained from scratch on "
        f"outputs treated alike. {mitigations.servers(found)}{mitigations.meanings(found)} Accuracy: of the answers as sent, where a tie counts as "
        "chance. Calibration error (Cal.): the expected one of the probabilities sent; of logits, that of their softmax. "
        f"PSNR, {frames.risk_words(summary)}, and R95, on the leading components that explain 95% of the variance: of the "
        "attack; larger is worse for privacy. Beyond the label: what a model gives away beyond its predicted "
        "label, PSNR minus that of the attack on labels alone (of the server that trained for it: on the labels of the "
        "other vicious one), mean over the seeds that both have; an en dash where there is no such attack to compare with. Mean ± standard deviation over seeds, none for a single seed; seeds without "
        f"a result are counted as failed and left out of the mean. {mitigations.settings(summary, found)}"
    )


def _groups(found: Sequence[Treated]) -> list[tuple[Treated, str, Group]]:
    """All groups in order, with their servers."""
    return [(one, server, group) for one in found for server, group in one.groups.items()]


def _cells(group: Group) -> dict[str, Cell]:
    return {name: group.cell(name, scale) for name, scale in _SCALES.items()}


def _beyond(found: Sequence[Treated], one: Treated, group: Group) -> Cell | None:
    return mitigations.beyond(group, mitigations.labels(found, group.role).get(one.task))
