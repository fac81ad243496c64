"""Figure 5: accuracy and reconstruction by the weight of the reconstruction loss. See :mod:`vicious.report.curves`."""

from pathlib import Path

from vicious.report.curves import write_curves


def write(summary: Path, out: Path) -> tuple[Path, ...]:
    """Write figure5.pdf, figure5.png and figure5.md below ``out``; see :func:`write_curves`."""
    return write_curves(5, summary, out)
