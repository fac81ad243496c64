"""Who is at risk: an attack's measures by class of the test images, and accuracies by attribute."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.results.assessments import Assessment, alike, in_order, read_assessments, read_images, reported
from vicious.results.schema import AGAIN, MEASURES, OF_ATTRIBUTE, PER_ATTRIBUTE, PER_CLASS
from vicious.system.errors import DataError


def write_per_class(json_files: Iterable[Path], per_class_out: Path, per_attribute_out: Path) -> None:
    """Write :func:`per_class` and :func:`per_attribute` of the given :func:`read_assessments` as CSV."""
    found = read_assessments(json_files)
    PER_CLASS.write(per_class(found), per_class_out)
    PER_ATTRIBUTE.write(per_attribute(found), per_attribute_out)


def per_class(found: Sequence[Assessment]) -> pd.DataFrame:
    """A row per task with classes, model, attack and class, in the order given, then by class.

    Measures have mean and standard deviation (ddof 1) over the seeds that succeeded. ``label`` is the class's number,
    ``seeds`` the seeds behind the numbers, ``failed`` those without a result, ``n`` the test images of the class, the
    same for each seed. A cell whose seeds all failed has one row: n 0, no class, no numbers. An autoencoder is not
    asked for classes: its accuracy is empty. Accuracy is a share, PSNR in dB.
    """
    cells = alike((one for one in found if not one.multilabel), PER_CLASS.group)
    return in_order(PER_CLASS, (row for seeds in cells for row in _cell_rows(seeds)), found)


def per_attribute(found: Sequence[Assessment]) -> pd.DataFrame:
    """A row per task with attributes, model, seed and attribute, in the order given.

    ``accuracy``, ``balanced`` (the mean of the accuracies on images with and without the attribute; empty where one
    kind is missing) and ``majority``, the share of the commoner value in the test set, are shares; ``positives`` counts
    the ``n`` test images that have the attribute. A failed seed has one row: n 0, no attribute, no numbers.
    Autoencoders, which are not asked for attributes, are left out. Each model is there once, as the same for all
    attacks on it: by the attack that is reported.
    """
    asked = [one for one in reported(found) if one.multilabel and one.record["role"] != "autoencoder"]
    return in_order(PER_ATTRIBUTE, (row for one in asked for row in _attribute_rows(one)), found)


def class_means(parquet: Path, classes: int) -> NDArray[np.float64]:
    """Number of test images and mean of each of :data:`MEASURES` by class, (classes, 1 + measures).

    A class without a test image has n 0 and means that are NaN.

    Raises:
        DataError: the file is missing or damaged, or a label is not one of the classes.
    """
    frame = read_images(parquet, ["label", *MEASURES])
    if not frame["label"].isin(range(classes)).all():
        raise DataError(f"{parquet}: a label is none of the {classes} classes: {AGAIN}")
    grouped = frame.groupby("label")
    means = grouped[list(MEASURES)].mean().reindex(range(classes))
    means.insert(0, "n", grouped.size().reindex(range(classes), fill_value=0))
    return means.to_numpy(dtype=np.float64)


def _cell_rows(seeds: Sequence[Assessment]) -> list[dict[Any, Any]]:
    """The rows of one model and attack."""
    record, failed, good = seeds[0].record, [one for one in seeds if not one.ok], []
    for one in (one for one in seeds if one.ok):
        good.append(class_means(one.parquet, one.record["k"]))
        one.check_count(int(good[-1][:, 0].sum()))
    shared: dict[Any, Any] = {
        **{name: record[name] for name in PER_CLASS.group},
        "seeds": len(good),
        "failed": len(failed),
        "reason": "; ".join(f"seed {one.record['seed']}: {_alone(one.record['reason'])}" for one in failed),
        "source": record["source"],
    }
    if not good:
        return [shared | {"n": 0}]
    values = np.stack(good)[:, :, 1:]
    if record["role"] == "autoencoder":
        values[:, :, MEASURES.index("accuracy")] = np.nan
    with np.errstate(invalid="ignore"):  # a spread of infinities is none
        spread = values.std(0, ddof=1) if len(good) > 1 else np.full(values.shape[1:], np.nan)
    names = record["label_names"] or list(map(str, range(record["k"])))
    table: dict[str, Any] = {"label": range(record["k"]), "label_name": names, "n": good[0][:, 0].astype(int)}
    for index, name in enumerate(MEASURES):
        table |= {name: values.mean(0)[:, index], f"{name}_sd": spread[:, index]}
    return pd.DataFrame(table).assign(**shared).to_dict("records")


def _alone(reason: str) -> str:
    return " ".join(reason.replace(";", ",").split())  # semicolons separate the seeds


def _attribute_rows(one: Assessment) -> list[dict[str, Any]]:
    shared = {name: one.record.get(name) for name in PER_ATTRIBUTE.columns}
    if not one.ok:
        return [shared | dict.fromkeys(OF_ATTRIBUTE) | {"n": 0}]
    try:
        return [shared | {name: item[name] for name in OF_ATTRIBUTE} for item in one.record["attributes"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{one.file} does not give the accuracy of each attribute ({error}): {AGAIN}") from error
