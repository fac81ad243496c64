"""From single assessments to the study's summary: one CSV row per model and attack."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.models.evaded import evasion, trained_otherwise
from vicious.results.assessments import Assessment, in_order, read_assessments
from vicious.results.schema import BASELINE, IN_SUMMARY, OF_LABELS, RENAMED, SUMMARY, applies, read_table
from vicious.system.errors import IncompleteStudyError

_MEASURED = (*IN_SUMMARY, *BASELINE, "calibration_error")
"""What every cell that succeeded has, where it applies to its role."""


def collect(found: Sequence[Assessment]) -> pd.DataFrame:
    """One row per assessment, sorted by task as given, role, attack, outputs, beta_r, seed.

    A failed one has a row with its reason, and no numbers. ``calibration_error`` is that of what the user sends,
    ``chosen`` says of the best attack which one it is, by measure: ``psnr: joint; ssim: posthoc-kernel_ridge``.
    """
    rows = []
    for one in found:
        row = {column: one.record.get(RENAMED.get(column, column)) for column in SUMMARY.columns}
        choices = one.record.get("choices", {})
        rows.append(row | {"chosen": "; ".join(f"{measure}: {attack}" for measure, attack in choices.items())})
    frame = in_order(SUMMARY, rows, found)
    frame.loc[frame["role"] == "autoencoder", [name for name in OF_LABELS if name in frame]] = np.nan
    return frame


def write_summary(files: Iterable[Path], out: Path) -> None:
    """Write :func:`collect` of the given :func:`read_assessments` as CSV."""
    SUMMARY.write(collect(read_assessments(files)), out)


def failed_cells(summary: pd.DataFrame) -> pd.Series:
    """Why rows of a summary count as failed, by the index of those that do: their reason, or what they lack.

    Tables and figures, and the check that a study is complete, go by this.
    """
    reasons: dict[Any, str] = {}
    measured = [name for name in _MEASURED if name in summary]
    for place, row in zip(summary.index, summary.to_dict("records"), strict=True):
        missing = [name for name in measured if applies(name, row["role"]) and pd.isna(row[name])]
        if row["status"] != "ok":
            reasons[place] = row["reason"] or "no reason recorded"
        elif missing:
            reasons[place] = f"{', '.join(missing)} missing"
    return pd.Series(reasons, dtype=object)


def _cell(row: Any) -> str:
    words = [row.outputs, trained_otherwise(row.outputs, row.trained_for), f"beta_R {row.beta_r:g}"]
    model = ", ".join(filter(None, [*words, evasion(row.evades, row.evasion)]))
    attack = " ".join(filter(None, [row.attack, row.means]))
    return f"  {row.task}, {row.role} ({model}), {attack} attack, seed {row.seed:g}: {row.reason}"


def check_complete(summary: Path, verdicts: Sequence[str] = ()) -> int:
    """The number of cells in a summary, if none failed.

    Args:
        summary: CSV written by :func:`write_summary`.
        verdicts: what failed elsewhere in the same experiment, a line each.

    Raises:
        IncompleteStudyError: cells failed; the message names each with its reason.
    """
    frame = read_table(SUMMARY, summary)
    reasons = failed_cells(frame)
    failed = frame.loc[reasons.index].assign(reason=reasons)
    if len(failed) or verdicts:
        raise IncompleteStudyError(
            f"{len(failed)} of {len(frame)} cells of {summary.stem} failed; tables and figures mark them:",
            *map(_cell, failed.itertuples()),
            *(f"  {line}" for line in verdicts),
            "change what the reason names in params.yaml, for instance by an override for the dataset, and run again; "
            "where the cause lay outside, as with too little memory, delete that model's folder below results first",
        )
    return len(frame)
