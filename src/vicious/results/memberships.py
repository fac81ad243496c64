"""What the losses of target models tell of their training images: from a JSON for each model to one CSV, and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from vicious.models.schedule import complete
from vicious.results.schema import AGAIN, MEMBERSHIP, Membership, MembershipRecord, read_table
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import write_csv
from vicious.system.typed_json import UntypedError, first_problem, read_typed

_COUNTS = ("trained_on", "members", "non_members")
_WRITE_AGAIN = "run summarize-membership again"
_ROWS = TypeAdapter(list[Membership])


@dataclass(frozen=True)
class Measured:
    """What the loss of one target model tells, and the JSON file that holds it."""

    file: Path
    record: MembershipRecord


def write_membership(files: Iterable[Path], out: Path) -> None:
    """Write :func:`collect` of some JSON files as CSV; raises as :func:`read_measured`."""
    write_csv(collect(read_measured(files)), out)


def collect(found: Sequence[Measured]) -> pd.DataFrame:
    """One row per target model, with the columns of :class:`vicious.results.schema.Membership`: tasks in the order
    given, then by role, outputs, beta_R and seed. One whose training failed has a row with its reason, and no
    numbers."""
    columns = list(Membership.model_fields)
    frame = pd.DataFrame([one.record.model_dump(include={*columns}) for one in found], columns=columns)
    place = frame["task"].map({task: index for index, task in enumerate(dict.fromkeys(frame["task"]))})
    keys = ["_place", *MEMBERSHIP.part_of_key("dataset", "task")]
    ordered = frame.assign(_place=place).sort_values(keys, kind="stable", ignore_index=True)
    return ordered[columns].astype(dict.fromkeys(_COUNTS, "Int64"))


def read_measured(files: Iterable[Path]) -> list[Measured]:
    """Read what ``measure-membership`` wrote, in the order given, and check that it belongs in one table.

    Raises:
        DataError: a file is missing or damaged, or none is given.
        MixedResultsError: two are of the same model, or those of one task used different data or settings.
    """
    found = [Measured(file, _read(file)) for file in map(Path, files)]
    if not found:
        raise DataError("no results of measure-membership were given: run `snakemake` again")
    models: dict[tuple[Any, ...], Path] = {}
    first: dict[tuple[str, str], tuple[Path, Any]] = {}
    for one in found:
        key = tuple(one.record.model_dump(include={*MEMBERSHIP.key}).values())
        other = models.setdefault(key, one.file)
        if other is not one.file:
            raise MixedResultsError(f"{other} and {one.file} are of one model: remove one of them")
        for name, value in _shared(one.record).items():
            reference, expected = first.setdefault((one.record.task, name), (one.file, value))
            if value != expected:
                raise MixedResultsError(
                    f"{reference} and {one.file} were made with different settings ({name}); run `snakemake` again so "
                    "that all results follow the same params.yaml"
                )
    return found


def read_membership(path: Path) -> pd.DataFrame:
    """Read and check the CSV of :func:`write_membership`: text stays text, an empty number is NaN.

    Raises:
        DataError: it is missing or damaged, lacks a column, or has a value of another type or out of its range.
        MixedResultsError: two rows are of the same model.
    """
    frame, columns = read_table(MEMBERSHIP, path, _WRITE_AGAIN), list(Membership.model_fields)
    missing = [name for name in columns if name not in frame]
    if missing:
        raise DataError(f"{path}: column {', '.join(missing)} is missing: {_WRITE_AGAIN}")
    own = [name for name in columns if name not in MEMBERSHIP.columns]
    rows = [
        {str(name): None if name in own and value == "" else value for name, value in row.items()}
        for row in frame[columns].to_dict("records")
    ]
    try:
        _ROWS.validate_python(rows)
    except ValidationError as error:
        raise DataError(f"{path} is damaged (row {first_problem(error)}): {_WRITE_AGAIN}") from None
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(own, float))


def _read(file: Path) -> MembershipRecord:
    try:
        return read_typed(file, MembershipRecord)
    except UntypedError as error:
        raise DataError(f"{error}: {AGAIN}") from None


def _shared(record: MembershipRecord) -> dict[str, Any]:
    """What all target models of a task must agree in, those that failed as far as they know it."""
    architecture = record.target.architecture.model_dump()
    return {
        "data": record.data,
        "source": record.source,
        "schedule": {**complete(record.target.schedule), "seed": "any"},
        **{name: architecture.get(name) for name in ("depth", "width")},
        **({"non_members": record.non_members} if record.status == "ok" else {}),
    }
