"""Figure 7: accuracy and reconstruction by the number of classes. See :mod:`vicious.report.curves`."""

from pathlib import Path

from vicious.report.curves import write_curves


def write(summary: Path, out: Path) -> tuple[Path, ...]:
    """Write figure7.pdf, figure7.png and figure7.md below ``out``; see :func:`write_curves`."""
    return write_curves(7, summary, out)
