"""Table 3: CelebA's attribute sets. See :mod:`vicious.report.comparison`."""

from pathlib import Path

from vicious.report.comparison import write_comparison


def write(summary: Path, comparisons: Path, out: Path) -> tuple[Path, ...]:
    """Write table3.csv, table3.md and table3.tex below ``out``; see :func:`write_comparison`."""
    return write_comparison(3, summary, comparisons, out)
