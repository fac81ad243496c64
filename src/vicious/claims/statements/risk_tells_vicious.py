"""The reconstruction risk R is larger for a vicious model than for an honest one.

Measured as the mean difference over images and seeds of the published R of the attack that is best by R.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, compared
from vicious.results.schema import COMPARISONS

SOURCE = "paper"
EXPERIMENT = "main"
READS = {"main_comparisons.csv": COMPARISONS}
ABOVE = 0.0


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """The difference in R, vicious minus honest."""
    return compared(tables["main_comparisons.csv"], "risk", "")
