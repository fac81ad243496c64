"""What assessments wrote, read back and checked: a JSON summary each, with the files of the same attack beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.models.evaded import evasion_of
from vicious.results import schema
from vicious.results.schema import AGAIN, ATTACK_OF, RECORD_OK, SUMMARY
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import read_json


@dataclass(frozen=True)
class Assessment:
    """The summary of one attack on one target model, and where it lies.

    Attributes:
        file: the JSON file; the other files of the same attack stand beside it.
        record: what the JSON file holds.
    """

    file: Path
    record: dict[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """The values of the summary's key."""
        return self.values(SUMMARY.key)

    def values(self, names: Iterable[str]) -> tuple[Any, ...]:
        """The record's values of some keys."""
        return tuple(self.record[name] for name in names)

    @property
    def ok(self) -> bool:
        """Whether there are results; else ``record["reason"]`` says why not."""
        return bool(self.record["status"] == "ok")

    @property
    def reported(self) -> bool:
        """Whether the attack is the one that is compared and reported for its role."""
        return bool(self.record["attack"] == ATTACK_OF.get(self.record["role"]))

    @property
    def multilabel(self) -> bool:
        """Whether the outputs are attributes, not classes."""
        return bool(self.record["target"]["architecture"]["multilabel"])

    @property
    def parquet(self) -> Path:
        """The file with a row per test image."""
        return self.file.with_suffix(".parquet")

    @property
    def estimators(self) -> Path:
        """The file with a row per estimator of the risk."""
        return self._beside("estimators", ".csv")

    @property
    def gallery(self) -> Path:
        """The file with some test images and their reconstructions."""
        return self._beside("gallery", ".npz")

    def _beside(self, name: str, suffix: str) -> Path:
        return self.file.with_name(f"{name}-{self.file.stem.removeprefix('risk-')}{suffix}")

    def images(self, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of the Parquet as float64, a row per test image.

        Raises:
            DataError: the file is missing or damaged, lacks a column, or has another number of rows than the summary
                says, or a value is not finite or out of its range.
        """
        frame = read_images(self.parquet, columns)
        self.check_count(len(frame))
        schema.check_images(frame, str(self.parquet))
        return frame

    def check_count(self, found: int) -> None:
        """Refuse a Parquet of so many test images where the summary says otherwise, or of none.

        Raises:
            DataError: it is.
        """
        if not found or found != self.record["n"]:
            raise DataError(
                f"{self.parquet} has {found} test images, but {self.file.name} says {self.record['n']}: "
                "delete both and run `snakemake` again"
            )


def read_assessments(json_files: Iterable[Path]) -> list[Assessment]:
    """Read the summaries of assessments, in the order given, and check that they belong in one table.

    Raises:
        DataError: a file is missing, damaged, or lacks a key; or none is given.
        MixedResultsError: two are of the same cell, or those of one task used different data or settings.
    """
    found = [Assessment(Path(file), _read(Path(file))) for file in json_files]
    if not found:
        raise DataError("no results of assessments were given: run `snakemake` again")
    _check_comparable([one.record for one in found])
    return found


def read_images(parquet: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a Parquet with a row per test image, as float64.

    Raises:
        DataError: the file is missing or damaged, or lacks a column.
    """
    try:
        return pd.read_parquet(parquet, columns=list(columns)).astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"cannot read {', '.join(columns)} of {parquet} ({why}): {AGAIN}") from error


def same_images(frames: Sequence[tuple[Assessment, pd.DataFrame]]) -> None:
    """Refuse tables of single images, with a column ``image``, that were measured on different test images.

    Raises:
        DataError: they were.
    """
    for one, frame in frames:
        if not np.array_equal(frame["image"].to_numpy(), frames[0][1]["image"].to_numpy()):
            raise DataError(
                f"{frames[0][0].parquet} and {one.parquet} were measured on different test images: "
                "delete both and run `snakemake` again"
            )


def in_order(frame: pd.DataFrame, tasks: Iterable[str], keys: Sequence[str]) -> pd.DataFrame:
    """Rows by task, in the order in which ``tasks`` first names each, then by ``keys``; rows that tie stay in order."""
    place = {task: index for index, task in enumerate(dict.fromkeys(tasks))}
    ordered = frame.assign(_place=frame["task"].map(place)).sort_values(["_place", *keys], kind="stable")
    return ordered.drop(columns="_place").reset_index(drop=True)


def _read(file: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = read_json(file)
        record |= evasion_of(record)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"cannot read the summary {file} ({error}): {AGAIN}") from error
    schema.check_record(record, str(file))
    return record


def _check_comparable(records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse results that do not belong in one table: within a task, data, models and estimators must agree."""
    seen: set[tuple[Any, ...]] = set()
    first: dict[tuple[str, str], tuple[Mapping[str, Any], Any]] = {}
    for record in records:
        key = tuple(record[name] for name in SUMMARY.key)
        if key in seen:
            raise MixedResultsError(f"two results for {dict(zip(SUMMARY.key, key, strict=True))}: remove one of them")
        seen.add(key)
        for name, value in _shared_settings(record).items():
            reference, expected = first.setdefault((record["task"], name), (record, value))
            if value != expected:
                cells = " and ".join(f"{r['role']}/{r['attack']} seed {r['seed']}" for r in (reference, record))
                raise MixedResultsError(
                    f"{record['task']}: {cells} were made with different settings ({name}); run `snakemake` again so "
                    "that all results follow the same params.yaml"
                )


def _shared_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """What all cells of a task must agree in, those that failed as far as they know it."""
    names = ["data", "source", "images", *(RECORD_OK[1:] if record["status"] == "ok" else ())]
    schedules = {"schedule": record["target"]["schedule"], "attack schedule": record["attacker"]["schedule"]}
    return {
        **{name: record[name] for name in names},
        **{name: {**schedule, "seed": "any"} for name, schedule in schedules.items()},
        f"beta_c of {record['role']}": record["beta_c"],
        **{name: record["target"]["architecture"][name] for name in ("depth", "width")},
    }
