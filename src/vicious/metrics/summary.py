"""From single assessments to the study's summary: one CSV row per model and attack."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.errors import DataError, MixedResultsError
from vicious.files import atomic_path, read_json

RESAMPLES = 1000
KEY = ("dataset", "role", "attack", "outputs", "beta_r", "seed")
COLUMNS = (
    *KEY,
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


def collect(files: Iterable[Path]) -> pd.DataFrame:
    """One row per assessment, sorted by dataset as given, role, attack, outputs, beta_r, seed.

    Raises:
        MixedResultsError: two rows are of the same cell, or cells of one dataset used different data or settings.
    """
    records = [_read(file) for file in files]
    check_comparable(records)
    order = list(dict.fromkeys(record["dataset"] for record in records))
    rows = [
        {"status": "ok", "reason": ""}
        | {column: record[_RENAMED.get(column, column)] for column in COLUMNS if column not in ("status", "reason")}
        for record in records
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    rank = frame["dataset"].map({name: index for index, name in enumerate(order)})
    return (
        frame.assign(_order=rank)
        .sort_values(["_order", *KEY[1:]], kind="stable")
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = read_json(file)
    except ValueError as error:
        raise DataError(f"{file} is damaged ({error}): delete it and run `snakemake` again") from None
    return record


def check_comparable(records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse rows that do not belong in one table: what must agree within a dataset is data, models and estimator."""
    seen: dict[tuple[Any, ...], None] = {}
    first: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {}
    for record in records:
        key = tuple(record[name] for name in KEY)
        if key in seen:
            raise MixedResultsError(f"two results for {dict(zip(KEY, key, strict=True))}: remove one of them")
        seen[key] = None
        shared = _shared_settings(record)
        reference, expected = first.setdefault(record["dataset"], (record, shared))
        different = [name for name in shared if shared[name] != expected[name]]
        if different:
            cells = " and ".join(f"{r['role']}/{r['attack']} seed {r['seed']}" for r in (reference, record))
            raise MixedResultsError(
                f"{record['dataset']}: {cells} were made with different settings ({', '.join(different)}); run "
                "`snakemake` again so that all results follow the same params.yaml"
            )


def _shared_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    schedule = {key: value for key, value in record["target"]["schedule"].items() if key != "seed"}
    architecture = record["target"]["architecture"]
    return {
        "data": record["data"],
        "source": record["source"],
        "n": record["n"],
        "estimator": record["risk_estimator"],
        "share": record["risk95_estimator"],
        "schedule": schedule,
        "depth": architecture["depth"],
        "width": architecture["width"],
    }


def write_summary(files: Iterable[Path], out: Path) -> None:
    """Write the summary CSV."""
    frame = collect(files)
    with atomic_path(out) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.8g", lineterminator="\n")
