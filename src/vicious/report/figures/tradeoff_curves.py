"""Accuracy and reconstruction by the weight of the reconstruction loss."""

from pathlib import Path

from vicious.report.curves import Subject, write_curves
from vicious.report.style import BETA
from vicious.study.artifacts import Destination

EXPERIMENT = "tradeoff"
SUBJECT = Subject(
    lambda group: group.beta_r,
    BETA,
    True,
    "Accuracy against reconstruction: vicious models by the weight beta_R of the reconstruction loss in their "
    "training. Horizontal line and band: honest models.",
)


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    return write_curves(SUBJECT, summary, out)
