"""What assessments wrote, read back and checked: a JSON summary each, with the files of the same attack beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vicious.models.evaded import evasion_of
from vicious.models.schedule import complete
from vicious.results import schema
from vicious.results.files import assessment_files
from vicious.results.schema import AGAIN, RECORD_OK, SUMMARY, Table
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import check_regular
from vicious.system.typed_json import UntypedError, read_typed


@dataclass(frozen=True)
class Assessment:
    """The summary of one attack on one target model: what its JSON file holds. The attack's other files lie beside."""

    file: Path
    record: dict[str, Any]

    def values(self, names: Iterable[str]) -> tuple[Any, ...]:
        """The record's values of some keys."""
        return tuple(self.record[name] for name in names)

    @property
    def key(self) -> tuple[Any, ...]:
        """The values of the summary's key."""
        return self.values(SUMMARY.key)

    @property
    def ok(self) -> bool:
        """Whether there are results; else ``record["reason"]`` says why not."""
        return bool(self.record["status"] == "ok")

    @property
    def multilabel(self) -> bool:
        """Whether the outputs are attributes, not classes."""
        return bool(self.record["target"]["architecture"].get("multilabel"))

    @property
    def parquet(self) -> Path:
        """The file with a row per test image."""
        return assessment_files(self.file).images

    @property
    def estimators(self) -> Path:
        """The file with a row per estimator of the risk."""
        return assessment_files(self.file).estimators

    @property
    def gallery(self) -> Path:
        """The file with some test images and their reconstructions."""
        return assessment_files(self.file).gallery

    def images(self, columns: Sequence[str]) -> pd.DataFrame:
        """:func:`read_images` of the Parquet; also refuses another number of rows than the summary says, and a value
        that is not finite or out of its range."""
        frame = read_images(self.parquet, columns)
        self.check_count(len(frame))
        schema.check_images(frame, str(self.parquet))
        return frame

    def check_count(self, found: int) -> None:
        """Raise a DataError for a Parquet of so many test images where the summary says otherwise, or of none."""
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
    _check_comparable(found)
    return found


def alike(found: Iterable[Assessment], names: Sequence[str]) -> list[list[Assessment]]:
    """Those with the same values of some keys together, in the order in which these come."""
    groups: dict[tuple[Any, ...], list[Assessment]] = {}
    for one in found:
        groups.setdefault(one.values(names), []).append(one)
    return list(groups.values())


def read_images(parquet: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a Parquet with a row per test image, as float64.

    Raises:
        DataError: it is missing or damaged, lacks a column, has one that holds no plain numbers, or more than
            :data:`MOST_IMAGES` rows.
    """
    stored = read_stored(parquet, columns)
    return pd.DataFrame({name: values.astype(np.float64) for name, values in stored.items()})


def read_stored(parquet: Path, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """As :func:`read_images`, by name and in the type in which they are stored."""
    try:
        with _opened(parquet) as file:
            rows = file.metadata.num_rows
            kinds = {name: file.schema_arrow.field(name).type for name in columns}
            odd = [name for name, kind in kinds.items() if not _is_number(kind)]
            if rows > MOST_IMAGES:
                raise ValueError(f"it has {rows:,} rows, expected at most {MOST_IMAGES:,}")
            if odd:
                raise ValueError(f"{odd[0]} is of type {kinds[odd[0]]}, expected numbers")
            table = file.read(list(columns), use_pandas_metadata=False)
        return {name: table[name].to_numpy() for name in columns}
    except _UNREADABLE as error:
        why = " ".join(str(error).split())
        raise DataError(f"cannot read {', '.join(columns)} of {parquet} ({why}): {AGAIN}") from error


def columns_of(parquet: Path) -> list[str]:
    """The names of a Parquet's columns; raises a DataError where it is missing or damaged."""
    try:
        with _opened(parquet) as file:
            return list(file.schema_arrow.names)
    except _UNREADABLE as error:
        why = " ".join(str(error).split())
        raise DataError(f"cannot read {parquet} ({why}): {AGAIN}") from error


MOST_IMAGES = 1_000_000
"""Test images of a Parquet; the largest test set of the study, CelebA's, has 19,962."""
_UNREADABLE = (OSError, ValueError, KeyError, pa.ArrowException)


def _opened(parquet: Path) -> pq.ParquetFile:
    check_regular(parquet)
    return pq.ParquetFile(parquet)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def same_images(frames: Sequence[tuple[Assessment, pd.DataFrame]]) -> None:
    """Raise a DataError where tables of single images, with a column ``image``, are of different test images."""
    for one, frame in frames:
        if not np.array_equal(frame["image"].to_numpy(), frames[0][1]["image"].to_numpy()):
            raise DataError(
                f"{frames[0][0].parquet} and {one.parquet} were measured on different test images: "
                "delete both and run `snakemake` again"
            )


def reported(found: Sequence[Assessment]) -> list[Assessment]:
    """Those of the attacks that are compared and reported: see :func:`vicious.results.schema.reported`."""
    attack = schema.reported({one.record["attack"] for one in found})
    return [one for one in found if one.record["attack"] == attack[one.record["role"]]]


def in_order(table: Table, rows: Iterable[Mapping[str, Any]], found: Sequence[Assessment]) -> pd.DataFrame:
    """A table's rows by task, in the order in which ``found`` first has each, then by the rest of
    :data:`~vicious.results.schema.KEY`; rows that tie stay in order."""
    frame, tasks = table.frame(rows), dict.fromkeys(one.record["task"] for one in found)
    place = frame["task"].map({task: index for index, task in enumerate(tasks)})
    keys = ["_place", *table.part_of_key("dataset", "task")]
    return frame.assign(_place=place).sort_values(keys, kind="stable", ignore_index=True).drop(columns="_place")


def _read(file: Path) -> dict[str, Any]:
    try:
        record = read_typed(file, schema.Record).model_dump(exclude_unset=True)
    except UntypedError as error:
        raise DataError(f"{error}: {AGAIN}") from None
    record |= evasion_of(record)
    schema.check_record(record, str(file))
    return record


def _check_comparable(found: Sequence[Assessment]) -> None:
    """Refuse results that do not belong in one table: within a task, data, models and estimators must agree."""
    for same in alike(found, SUMMARY.key):
        if len(same) > 1:
            cell = dict(zip(SUMMARY.key, same[0].key, strict=True))
            raise MixedResultsError(f"two results for {cell}: remove one of them")
    first: dict[tuple[str, str], tuple[Mapping[str, Any], Any]] = {}
    for record in (one.record for one in found):
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
    original = record["attack"] in schema.ATTACK_OF.values() and not record["means"]  # others have their own schedules
    of_attack = "attack schedule" if original else f"schedule of the attack {record['attack']} {record['means']}"
    schedules = {"schedule": record["target"]["schedule"], of_attack: record["attacker"]["schedule"]}
    return {
        **{name: record[name] for name in names},
        **{name: {**complete(schedule), "seed": "any"} for name, schedule in schedules.items()},
        f"beta_c of {record['role']}": record["beta_c"],
        **{name: record["target"]["architecture"].get(name) for name in ("depth", "width")},
    }
