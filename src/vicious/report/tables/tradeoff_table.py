"""Vicious models by the weight of the reconstruction loss."""

from pathlib import Path

from vicious.report.comparison import Subject, write_comparison
from vicious.study.artifacts import Destination

EXPERIMENT = "tradeoff"
SUBJECT = Subject(
    "Accuracy against reconstruction: vicious models by the weight beta_R of the reconstruction loss in their "
    "training, beside honest models."
)


def write(summary: Path, comparisons: Path, out: Destination) -> tuple[Path, ...]:
    return write_comparison(SUBJECT, summary, comparisons, out)
