"""Table 12: what a user can do to the outputs, what it costs in accuracy, and what an attack still reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.report import frames, mitigations, tables
from vicious.report.frames import Cell, Group
from vicious.report.mitigations import PERCENT, ROLES, Treated
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
    """The numbers of table 12, a row for each task, kind of outputs and role that was run.

    Accuracies and calibration errors are percentages, PSNR is in dB. Each measure has columns ``_mean``, ``_sd`` (ddof 1,
    over seeds) and ``_n`` (seeds that succeeded). ``beyond_label``: PSNR minus that of the attack on labels alone, over
    the seeds that both have; empty for these, or where there are none. ``failures`` names each seed without a result.
    """
    rows: list[dict[str, Any]] = []
    for one, group in ((each, group) for each in found for group in each.groups if group.planned):
        row = {
            "dataset": group.dataset,
            "title": frames.title(one.task),
            "source": group.rows["source"].iloc[0],
            "outputs": one.outputs,
            "role": group.role,
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


def _pair(key: str, head: str, latex: str, decimals: int) -> Iterator[Column]:
    """The columns of one measure, of the honest and of the vicious models."""
    for role in ROLES:
        yield Column(f"{role}_{key}", f"{head}, {role}", rf"\shortstack{{{latex}\\{role}}}", decimals)


PRINTED = (
    Column("title", "Dataset", text=True),
    Column("outputs", "Outputs", text=True),
    *_pair("accuracy", "Accuracy (%)", r"Acc. (\%)", 1),
    *_pair("calibration_error", "Calibration error (%)", r"Cal. (\%)", 1),
    *_pair("psnr", "PSNR (dB)", "PSNR (dB)", 2),
    *_pair("risk", "R", "$R$", 2),
    *_pair("risk95", "R95", "$R_{95}$", 2),
    Column(
        "beyond",
        "PSNR beyond the label (dB), vicious",
        r"\shortstack{Beyond\\label (dB)\\vicious}",
        decimals=2,
    ),
)


def lines(found: Sequence[Treated]) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :data:`PRINTED`."""
    printed: list[dict[str, Value]] = []
    before = ""
    for one in found:
        source = next(str(group.rows["source"].iloc[0]) for group in one.groups if group.planned)
        printed.append(
            {
                "title": "" if one.task == before else frames.marked_title(one.task, source),
                "outputs": mitigations.title(one.outputs),
                **{f"{group.role}_{name}": cell for group in one.groups for name, cell in _cells(group).items()},
                "beyond": _beyond(found, one, one.vicious),
            }
        )
        before = one.task
    return printed


def caption(summary: pd.DataFrame, found: Sequence[Treated]) -> str:
    """The caption, with the settings used and how to read the cells."""
    return (
        "What a user can do to the outputs. On honest and on vicious models alike, an attack model is trained from scratch on "
        f"outputs treated alike. {mitigations.meanings(found)} Accuracy: of the answers as sent, where a tie counts as "
        "chance. Calibration error (Cal.): the expected one of the probabilities sent; of logits, that of their softmax. "
        f"PSNR, {frames.risk_words(summary)}, and R95, on the leading components that explain 95% of the variance: of the "
        "attack; larger is worse for privacy. Beyond the label: what the vicious model gives away beyond its predicted "
        "label, PSNR minus that of the attack on labels alone, mean over the seeds that both have; an en dash where there "
        "is no such attack to compare with. Mean ± standard deviation over seeds, none for a single seed; seeds without "
        f"a result are counted as failed and left out of the mean. {mitigations.settings(summary, found)}"
    )


def _cells(group: Group) -> dict[str, Cell]:
    return {name: group.cell(name, scale) for name, scale in _SCALES.items()}


def _beyond(found: Sequence[Treated], one: Treated, group: Group) -> Cell | None:
    return mitigations.beyond(group, mitigations.labels(found, group.role).get(one.task))
