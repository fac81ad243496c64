"""Table 1: honest models, vicious ones and autoencoders on all datasets. See :mod:`vicious.report.comparison`."""

from pathlib import Path

from vicious.report.comparison import write_comparison


def write(summary: Path, comparisons: Path, out: Path) -> tuple[Path, ...]:
    """Write table1.csv, table1.md and table1.tex below ``out``; see :func:`write_comparison`."""
    return write_comparison(1, summary, comparisons, out)
