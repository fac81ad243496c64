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
ABOVE = -1.0
"""Percentage points; a larger loss of accuracy counts as one."""


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """The difference in accuracy, vicious minus honest, in percentage points."""
    return compared(tables["main_comparisons.csv"], "accuracy", "points", 100.0)
