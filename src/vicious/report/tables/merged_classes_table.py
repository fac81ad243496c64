"""Honest and vicious models by the number of groups that classes are merged into."""

from pathlib import Path

from vicious.report import frames
from vicious.report.comparison import Subject, write_comparison
from vicious.study.artifacts import Destination

EXPERIMENT = "merged_classes"
SUBJECT = Subject("Honest and vicious models of K groups of classes.", k="K", note=frames.MERGED_CLASSES)


def write(summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    return write_comparison(SUBJECT, summary, comparisons, out)
