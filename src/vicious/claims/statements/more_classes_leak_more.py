"""With more classes, hence more outputs, more is given away by vicious models.

Measured as the PSNR of the best attack with the most classes minus that with the fewest. Both see as many images, but
not the same ones: with more classes they are more varied.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, most_against_fewest
from vicious.results.schema import SUMMARY

SOURCE = "paper"
EXPERIMENT = "class_counts"
READS = {"class_counts.csv": SUMMARY}
ABOVE = 0.0


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """For each dataset and kind of outputs: the most classes minus the fewest, in dB."""
    return most_against_fewest(tables["class_counts.csv"], "classes")
