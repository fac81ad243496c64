"""From single assessments to the study's summary: one CSV row per model and attack."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.models.evaded import evasion, trained_otherwise
from vicious.results.assessments import KEY, Assessment, in_order, read_assessments
from vicious.system.errors import DataError, IncompleteStudyError
from vicious.system.files import write_csv

RESAMPLES = 1000
COLUMNS = (
    "dataset",
    *KEY[:1],
    "k",
    *KEY[1:],
    "status",
    "reason",
    "source",
    "n",
    "accuracy",
    "mse",
    "psnr",
    "ssim",
    "risk",
    "risk95",
    *(f"{name}_{end}" for name in ("psnr", "ssim", "risk", "risk95") for end in ("low", "high")),
    "psnr_class_mean",
    "risk_class_mean",
    "risk95_class_mean",
    "n_perfect",
    "pixels",
    "covariance_images",
    "rank",
    "rank95",
    "share_kept",
    "estimator",
    "calibration_error",
)
_RENAMED = {
    "rank": "risk_rank",
    "rank95": "risk95_rank",
    "share_kept": "risk_share",
    "estimator": "risk_estimator",
}


def interval(values: NDArray[Any], level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of ``values`` (n,), over images; deterministic given the seed."""
    generator = np.random.default_rng(seed)
    values = np.asarray(values, dtype=np.float64)
    means = [values[generator.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def collect(found: Sequence[Assessment]) -> pd.DataFrame:
    """One row per assessment, sorted by task as given, role, attack, outputs, beta_r, seed.

    A failed one has a row with its reason, and no numbers. ``calibration_error`` is that of what the user sends.
    """
    rows = [{column: one.record.get(_RENAMED.get(column, column)) for column in COLUMNS} for one in found]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame.loc[frame["role"] == "autoencoder", ["accuracy", "calibration_error"]] = np.nan  # never asked for labels
    return in_order(frame, frame["task"], KEY[1:])


def write_summary(files: Iterable[Path], out: Path) -> None:
    """Write :func:`collect` of the given summaries of assessments as CSV.

    Raises:
        DataError, MixedResultsError: see :func:`vicious.results.assessments.read_assessments`.
        StorageError: the file cannot be written.
    """
    write_csv(collect(read_assessments(files)), out)


def _model(row: Any) -> str:
    told = [row.outputs, trained_otherwise(row.outputs, row.trained_for), f"beta_R {row.beta_r:g}"]
    return ", ".join(filter(None, [*told, evasion(row.evades, row.evasion)]))


def check_complete(summary: Path, verdicts: Sequence[str] = ()) -> int:
    """The number of cells in a summary, if none failed.

    Args:
        summary: CSV written by :func:`write_summary`.
        verdicts: what failed elsewhere in the same experiment, a line each.

    Raises:
        DataError: the summary is damaged.
        IncompleteStudyError: cells failed; the message names each with its reason.
    """
    try:
        frame = pd.read_csv(summary, keep_default_na=False)
        failed = frame.loc[frame["status"] != "ok", list(COLUMNS)]
    except (KeyError, ValueError) as error:
        raise DataError(f"{summary} is damaged ({error}): delete it and run `snakemake` again") from None
    if len(failed) or verdicts:
        lines = [
            f"  {row.task}, {row.role} ({_model(row)}), {row.attack} attack, seed {row.seed}: {row.reason}"
            for row in failed.itertuples()
        ]
        cells = "\n".join([*lines, *(f"  {line}" for line in verdicts)])
        raise IncompleteStudyError(
            f"{len(failed)} of {len(frame)} cells of {summary.stem} failed; tables and figures mark them:\n{cells}\n"
            "change what the reason names in params.yaml, for instance by an override for the dataset, and run again; where "
            "the cause lay outside, as with too little memory, delete that model's folder below results first"
        )
    return len(frame)
