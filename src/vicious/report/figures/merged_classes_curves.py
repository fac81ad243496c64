"""Accuracy and reconstruction by the number of groups that classes are merged into."""

from pathlib import Path

from vicious.report import frames
from vicious.report.curves import Subject, outputs_of, write_curves
from vicious.study.artifacts import Destination

EXPERIMENT = "merged_classes"
SUBJECT = Subject(
    outputs_of,
    "groups $K$",
    False,
    "Accuracy and reconstruction by the number K of groups that classes are merged into.",
    frames.MERGED_CLASSES,
)


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    return write_curves(SUBJECT, summary, out)
