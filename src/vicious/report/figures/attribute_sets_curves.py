"""Accuracy and reconstruction by the number of CelebA's attributes."""

from pathlib import Path

from vicious.report.curves import Subject, outputs_of, write_curves
from vicious.study.artifacts import Destination

EXPERIMENT = "attribute_sets"
SUBJECT = Subject(
    outputs_of,
    "attributes $K$",
    False,
    "Accuracy and reconstruction by the number K of attributes, each an output of the model.",
)


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    return write_curves(SUBJECT, summary, out)
