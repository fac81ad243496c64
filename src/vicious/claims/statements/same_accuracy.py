"""A vicious model is as accurate as an honest one, to a percentage point.

Measured as the mean difference over images and seeds, with models as units.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, compared
from vicious.results.schema import COMPARISONS

SOURCE = "paper"
EXPERIMENT = "main"
READS = {"main_comparisons.csv": COMPARISONS}
MARGIN = 1.0
"""Percentage points of accuracy that count as none."""
HOLDS = f"the interval of the difference lies above -{MARGIN:g} points"


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """The difference in accuracy, vicious minus honest, in percentage points."""
    return compared(tables["main_comparisons.csv"], "accuracy", "points", 100.0)


def holds(finding: Finding) -> bool:
    """Whether a vicious model loses less than the margin."""
    return finding.low > -MARGIN


def fails(finding: Finding) -> bool:
    """Whether a vicious model loses more than the margin."""
    return finding.high < -MARGIN
