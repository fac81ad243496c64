"""The files of an attack's assessment. Neither pandas nor PyTorch is needed, so that a plan can name them."""

from pathlib import Path
from typing import NamedTuple


class AssessmentFiles(NamedTuple):
    """The JSON summary, the Parquet with a row per test image, the CSV of estimators, the gallery of images."""

    summary: Path
    images: Path
    estimators: Path
    gallery: Path


def assessment_files(summary: Path) -> AssessmentFiles:
    """All of them, by the JSON summary ``risk-A.json`` of an attack A; they lie in one folder."""
    name = summary.stem.removeprefix("risk-")
    beside = (summary.with_name(file) for file in (f"estimators-{name}.csv", f"gallery-{name}.npz"))
    return AssessmentFiles(summary, summary.with_suffix(".parquet"), *beside)
