"""The main comparison: how accurate each model is, and what is read from its outputs."""

from pathlib import Path

from vicious.report.comparison import Subject, write_comparison
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
SUBJECT = Subject("Accuracy of honest and vicious models, and what is reconstructed from their outputs.")


def write(summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    return write_comparison(SUBJECT, summary, comparisons, out)
