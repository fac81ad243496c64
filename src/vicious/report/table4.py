"""Table 4: numbers of classes. See :mod:`vicious.report.comparison`."""

from pathlib import Path

from vicious.report.comparison import write_comparison


def write(summary: Path, comparisons: Path, out: Path) -> tuple[Path, ...]:
    """Write table4.csv, table4.md and table4.tex below ``out``; see :func:`write_comparison`."""
    return write_comparison(4, summary, comparisons, out)
