"""Honest and vicious models by the number of classes."""

from pathlib import Path

from vicious.report import frames
from vicious.report.comparison import Subject, write_comparison
from vicious.study.artifacts import Destination

EXPERIMENT = "class_counts"
SUBJECT = Subject("Honest and vicious models of K classes.", k="K", note=frames.CLASS_COUNTS)


def write(summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    return write_comparison(SUBJECT, summary, comparisons, out)
