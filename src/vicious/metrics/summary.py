"""From single assessments to the study's summary: one CSV row per model and attack."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.errors import DataError, IncompleteStudyError, MixedResultsError
from vicious.files import atomic_path, read_json

RESAMPLES = 1000
KEY = ("task", "role", "attack", "outputs", "beta_r", "seed")
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
    """One row per assessment, sorted by task as given, role, attack, outputs, beta_r, seed.

    A failed one has a row with its reason, and no numbers.

    Raises:
        MixedResultsError: two rows are of the same cell, or cells of one task used different data or settings.
    """
    records = [_read(file) for file in files]
    check_comparable(records)
    order = list(dict.fromkeys(record["task"] for record in records))
    rows = [{column: record.get(_RENAMED.get(column, column)) for column in COLUMNS} for record in records]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame.loc[frame["role"] == "autoencoder", "accuracy"] = np.nan  # it was never asked for labels
    rank = frame["task"].map({name: index for index, name in enumerate(order)})
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
    """Refuse rows that do not belong in one table: what must agree within a task is data, models and estimator."""
    seen: dict[tuple[Any, ...], None] = {}
    first: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {}
    for record in records:
        key = tuple(record[name] for name in KEY)
        if key in seen:
            raise MixedResultsError(f"two results for {dict(zip(KEY, key, strict=True))}: remove one of them")
        seen[key] = None
        shared = _shared_settings(record)
        reference, expected = first.setdefault(record["task"], (record, shared))
        different = [name for name in shared.keys() & expected.keys() if shared[name] != expected[name]]
        if different:
            cells = " and ".join(f"{r['role']}/{r['attack']} seed {r['seed']}" for r in (reference, record))
            raise MixedResultsError(
                f"{record['task']}: {cells} were made with different settings ({', '.join(different)}); run "
                "`snakemake` again so that all results follow the same params.yaml"
            )


def _shared_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    schedule = {key: value for key, value in record["target"]["schedule"].items() if key != "seed"}
    architecture = record["target"]["architecture"]
    names = ("risk_estimator", "risk95_estimator") if record["status"] == "ok" else ()
    return {
        "data": record["data"],
        "source": record["source"],
        "images": record["images"],
        "schedule": schedule,
        "depth": architecture["depth"],
        "width": architecture["width"],
        **{name: record[name] for name in names},
    }


def write_summary(files: Iterable[Path], out: Path) -> None:
    """Write the summary CSV."""
    frame = collect(files)
    with atomic_path(out) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.8g", lineterminator="\n")


def check_complete(summary: Path) -> int:
    """The number of cells in a summary, if none failed.

    Raises:
        DataError: the summary is damaged.
        IncompleteStudyError: cells failed; the message names each with its reason.
    """
    try:
        frame = pd.read_csv(summary, keep_default_na=False)
        failed = frame.loc[frame["status"] != "ok"]
    except (KeyError, ValueError) as error:
        raise DataError(f"{summary} is damaged ({error}): delete it and run `snakemake` again") from None
    if len(failed):
        cells = "\n".join(
            f"  {row.task}, {row.role} ({row.outputs}, beta_R {row.beta_r:g}), {row.attack} attack, seed {row.seed}: {row.reason}"
            for row in failed.itertuples()
        )
        raise IncompleteStudyError(
            f"{len(failed)} of {len(frame)} cells of {summary.stem} failed; tables and figures mark them:\n{cells}\n"
            "change what the reason names in params.yaml, for instance by an override for the dataset, and run again"
        )
    return len(frame)
