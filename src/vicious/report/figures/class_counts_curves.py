"""Accuracy and reconstruction by the number of classes."""

from pathlib import Path

from vicious.report import frames
from vicious.report.curves import Subject, outputs_of, write_curves
from vicious.study.artifacts import Destination

EXPERIMENT = "class_counts"
SUBJECT = Subject(
    outputs_of,
    "classes $K$",
    False,
    "Accuracy and reconstruction by the number K of classes.",
    frames.CLASS_COUNTS,
)


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    return write_curves(SUBJECT, summary, out)
