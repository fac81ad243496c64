"""Outputs and labels that a user has stored, a row for each image."""

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.arrays import read_array
from vicious.auditing.asking import one_line
from vicious.system.errors import AuditError
from vicious.system.files import check_regular
from vicious.system.settings import shortened

if TYPE_CHECKING:
    import pandas as pd

NAMING = ("file", "name", "image", "path", "filename", "file_name", "image_name")
"""Columns that name the images."""
OTHERS = ("id", "index", "label", "labels", "target", "class", "split", "y", "true", "truth", "predicted")
"""Columns that are no outputs, though they may hold numbers."""
_MOST_BYTES = 1 << 28
_MOST_VALUES = 200_000_000
_MOST_COLUMNS = 100_000
"""Of a table, or numbers of an image's row."""


@dataclass(frozen=True)
class Outputs:
    """Stored outputs.

    Attributes:
        values: (n, K), a row for each image, in their order; finite.
        notes: how rows were matched with images, a sentence each.
    """

    values: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_outputs(path: Path, names: Sequence[str]) -> Outputs:
    """Read the outputs of the images ``names`` from .npy, .npz (the only array, or ``outputs``), .csv or .parquet.

    A column of a table that is named file, name, image or path names the images. Then rows may have any order, and may
    be more than the images. Else row and image have the same place.

    Raises:
        AuditError: rows and images do not belong together, a column is of text, or a value is no finite number.
    """
    values, note = _matched(path, names, "outputs")
    if not np.isfinite(values).all():
        row, column = map(int, np.argwhere(~np.isfinite(values))[0])
        raise AuditError(
            f"{path}: the output {column} of {names[row]} is {values[row, column]}, expected a finite number: leave "
            "such images out"
        )
    return Outputs(values, (note,))


def read_labels(path: Path, names: Sequence[str], classes: int) -> NDArray[np.int64]:
    """Read the labels of the images ``names``: classes (n,) from 0 to ``classes`` - 1, or 0/1 attributes
    (n, classes). From the files of :func:`read_outputs` (in .npz: ``labels``), or .txt with a row of numbers a line.

    Raises:
        AuditError: rows and images do not belong together, or a value is no label.
    """
    values, _ = _matched(path, names, "labels")
    if not (np.isfinite(values) & (values == np.round(values))).all():
        raise AuditError(f"{path} has labels that are no whole numbers: number the classes from 0 to {classes - 1}")
    labels = values.astype(np.int64)
    if labels.shape[1] == 1 and classes > 1:
        least, largest = int(labels.min()), int(labels.max())
        if least < 0 or largest >= classes:
            raise AuditError(
                f"{path} has labels from {least} to {largest}, but the model has {classes} outputs: number the classes "
                f"from 0 to {classes - 1}, in the order of the outputs"
            )
        return labels[:, 0]
    if labels.shape[1] != classes or not np.isin(labels, (0, 1)).all():
        raise AuditError(
            f"{path} has {labels.shape[1]} labels for each image, of values from {labels.min()} to {labels.max()}; "
            f"expected one class from 0 to {classes - 1}, or {classes} attributes that are 0 or 1"
        )
    return labels[:, 0] if classes == 1 else labels


def _matched(path: Path, names: Sequence[str], what: str) -> tuple[NDArray[np.float64], str]:
    """A row (n, K) for each image, and how they were matched."""
    try:
        size = check_regular(path).st_size
    except OSError as error:
        raise AuditError(f"{path} cannot be read ({error.strerror}): give a file of {what}") from None
    if size > _MOST_BYTES:
        raise AuditError(f"{path} has {size:,} bytes, more than {_MOST_BYTES:,}: give the {what} of fewer images")
    match path.suffix.lower():
        case ".npy" | ".npz":
            return _in_order(path, _of_array(path, what), names, what)
        case ".csv" | ".parquet" | ".pq":
            return _of_table(path, names, what)
        case ".txt" if what == "labels":
            return _in_order(path, _of_text(path), names, what)
    raise AuditError(f"{path} is of no known format: give {what} as .npy, .npz, .csv or .parquet")


def _in_order(
    path: Path, values: NDArray[np.float64], names: Sequence[str], what: str
) -> tuple[NDArray[np.float64], str]:
    if len(values) == len(names):
        return values, f"The rows of {path.name} are taken in the order of the images."
    rows = [int(name) for name in names if name.isascii() and name.isdigit()]
    if len(rows) == len(names) and max(rows) < len(values):  # an array's images are named by their rows
        return values[rows], f"The rows of {path.name} are those of the images, by their numbers."
    raise AuditError(
        f"{path} has {len(values)} rows, but there are {len(names)} images: give the {what} of these images, a row "
        "each, or a table with a column `file` that names them"
        + (". All images are used with a larger --images" if len(values) > len(names) else "")
    )


def _of_array(path: Path, what: str) -> NDArray[np.float64]:
    array = read_array(path, what)
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or not array.size:
        raise AuditError(
            f"{path} holds an array of shape {array.shape} and type {array.dtype}, expected numbers of shape (n, K)"
        )
    return _bounded(path, array.reshape(len(array), -1))


def _bounded(path: Path, array: NDArray[Any]) -> NDArray[np.float64]:
    if array.size > _MOST_VALUES or array.shape[1] > _MOST_COLUMNS:
        raise AuditError(f"{path} has {array.shape[0]} rows of {array.shape[1]} numbers: that is too much to audit")
    return np.asarray(array, dtype=np.float64)


def _of_text(path: Path) -> NDArray[np.float64]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file, which is refused below
            values = np.loadtxt(path, ndmin=2, delimiter="," if "," in _first_line(path) else None, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise AuditError(f"{path} is no text of numbers ({one_line(error)}): write one row of numbers a line") from None
    if not values.size:
        raise AuditError(f"{path} is empty: write one row of numbers a line")
    return _bounded(path, values)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline(1 << 20)


def _of_table(path: Path, names: Sequence[str], what: str) -> tuple[NDArray[np.float64], str]:
    frame = _frame(path)
    naming = [column for column in frame.columns if str(column).strip().lower() in NAMING]
    if len(naming) > 1:
        raise AuditError(f"{path} has several columns that name images ({', '.join(map(str, naming))}): keep one")
    other = [column for column in frame.columns if what == "outputs" and str(column).strip().lower() in OTHERS]
    numbers = frame.drop(columns=[*naming, *other])
    left = f" No outputs are in {', '.join(map(str, other))}." if other else ""
    texts = [column for _, column in numbers.items() if not _is_number(column.dtype)]
    if texts:
        found = next((one for one in texts[0] if not _parses(str(one))), texts[0].iloc[0])
        raise AuditError(
            f"{path}: the column {shortened(texts[0].name)} holds {shortened(found)}, expected numbers"
            + (": number the classes from 0, in the order of the outputs" if what == "labels" else "")
            + f". A column that names the images is to have the name {' or '.join(NAMING[:4])}"
        )
    if not numbers.shape[1]:
        raise AuditError(f"{path} has no column of numbers: give a column for each of the K {what}")
    values = _bounded(path, numbers.to_numpy(dtype=np.float64))
    if not naming:
        found, note = _in_order(path, values, names, what)
        return found, note + left
    rows = _rows(path, [str(one) for one in frame[naming[0]]], names)
    return values[rows], f"The rows of {path.name} are matched by its column {naming[0]}." + left


def _is_number(kind: Any) -> bool:
    return bool(getattr(kind, "kind", "O") in "biuf")


def _frame(path: Path) -> "pd.DataFrame":
    """A table of numbers and texts; all else is refused."""
    import pyarrow
    from pyarrow import parquet

    try:
        frame = _of_csv(path) if path.suffix.lower() == ".csv" else _of_parquet(parquet.ParquetFile(path))
    except (ValueError, OSError, MemoryError, OverflowError, LookupError, csv.Error, pyarrow.ArrowException) as error:
        raise AuditError(
            f"{path} is no table, or damaged ({one_line(error)}): give a heading, and as many values in each row"
        ) from error
    frame = frame.drop(columns=[name for name in frame.columns if str(name) in _INDICES])
    if not len(frame):
        raise AuditError(f"{path} has no rows: give one for each image")
    return frame


_INDICES = ("Unnamed: 0", "__index_level_0__")
"""Columns that number the rows, which pandas writes beside the others."""


def _of_csv(path: Path) -> "pd.DataFrame":
    """A table with a heading, or without one where the first line is of numbers other than 0 to K - 1."""
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.reader([file.readline(1 << 24)]), [])
    bare = all(map(_parses, first)) and first != list(map(str, range(len(first))))
    naming = [] if bare else [place for place, name in enumerate(first) if name.strip().lower() in NAMING]
    how: dict[str, Any] = {"header": None if bare else 0, "index_col": False, "encoding": "utf-8-sig"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rows that are longer than the heading
        try:
            frame: pd.DataFrame = pd.read_csv(path, low_memory=False, **how)
            if naming:  # 001 is a name, and so is NA
                names = pd.read_csv(path, usecols=naming, dtype=str, keep_default_na=False, **how)
                for place, column in zip(naming, names.columns, strict=True):
                    frame.isetitem(place, names[column])
        except Warning as error:
            raise ValueError(str(error)) from error
    return frame


def _parses(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_parquet(file: Any) -> "pd.DataFrame":
    """A table of plain columns; what packed values would unpack to is known before they are read."""
    from pyarrow import types

    facts, schema = file.metadata, file.schema_arrow
    if facts.num_rows * max(facts.num_columns, 1) > _MOST_VALUES or facts.num_columns > _MOST_COLUMNS:
        raise ValueError(f"{facts.num_rows} rows of {facts.num_columns} columns are too many")
    for field in schema:
        plain = types.is_integer(field.type) or types.is_floating(field.type) or types.is_boolean(field.type)
        if not (plain or types.is_string(field.type) or types.is_large_string(field.type)):
            raise ValueError(f"the column {shortened(field.name)} is of type {shortened(field.type)}")
    found: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
    return found


def _rows(path: Path, named: Sequence[str], names: Sequence[str]) -> list[int]:
    """For each image its row: by its whole path, or by the last part where that is no other image's."""
    for part in (_whole, _last, _stem):
        places: dict[str, int] = {}
        for row, one in enumerate(named):
            places[part(one)] = -1 if part(one) in places else row
        wanted = [part(name) for name in names]
        if len(set(wanted)) == len(wanted) and all(one in places for one in wanted):
            found = [places[one] for one in wanted]
            if -1 in found:
                raise AuditError(f"{path} names the image {shortened(names[found.index(-1)])} twice: keep one row each")
            return found
    known = set(map(_whole, named))
    absent = [name for name in names if _whole(name) not in known]
    raise AuditError(
        f"{path} has no row for {len(absent)} of {len(names)} images, such as {shortened(absent[0])}; it names "
        f"{shortened(named[0])}: name each image as its path below the folder"
    )


def _whole(name: str) -> str:
    return str(PurePosixPath(name.strip().replace("\\", "/")))


def _last(name: str) -> str:
    return PurePosixPath(_whole(name)).name


def _stem(name: str) -> str:
    return PurePosixPath(_whole(name)).stem
