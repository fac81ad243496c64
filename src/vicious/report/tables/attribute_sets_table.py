"""Honest and vicious models of CelebA's attribute sets."""

from pathlib import Path

from vicious.report.comparison import Subject, write_comparison
from vicious.study.artifacts import Destination

EXPERIMENT = "attribute_sets"
SUBJECT = Subject(
    "Honest and vicious models of growing sets of K attributes, with one output for each attribute.", k="K"
)


def write(summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    return write_comparison(SUBJECT, summary, comparisons, out)
