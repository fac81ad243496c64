"""Figure 6: accuracy and reconstruction by the number of CelebA's attributes. See :mod:`vicious.report.curves`."""

from pathlib import Path

from vicious.report.curves import write_curves


def write(summary: Path, out: Path) -> tuple[Path, ...]:
    """Write figure6.pdf, figure6.png and figure6.md below ``out``; see :func:`write_curves`."""
    return write_curves(6, summary, out)
