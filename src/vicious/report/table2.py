"""Table 2: vicious models by the weight of the reconstruction loss. See :mod:`vicious.report.comparison`."""

from pathlib import Path

from vicious.report.comparison import write_comparison


def write(summary: Path, comparisons: Path, out: Path) -> tuple[Path, ...]:
    """Write table2.csv, table2.md and table2.tex below ``out``; see :func:`write_comparison`."""
    return write_comparison(2, summary, comparisons, out)
