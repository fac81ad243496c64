"""From a vicious model's outputs more images are identified among all test images than from an honest one's.

An image is identified where it is the nearest of all test images to its reconstruction by the best attack.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, compared
from vicious.results.schema import COMPARISONS

SOURCE = "project"
EXPERIMENT = "main"
READS = {"main_comparisons.csv": COMPARISONS}
ABOVE = 0.0


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """The difference in the share that is identified, vicious minus honest, in percentage points."""
    return compared(tables["main_comparisons.csv"], "top1", "points", 100.0)
