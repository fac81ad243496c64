"""A vicious model gives away more of its input than an honest one: PSNR of the best attack, in dB.

Measured as the mean difference over images and seeds, with models as units.
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
    """The difference in PSNR, vicious minus honest."""
    return compared(tables["main_comparisons.csv"], "psnr", "dB")
