"""With more outputs, more is given away of the same images by vicious models.

Measured as the PSNR of the reported attack with the most groups of classes minus that with the fewest. All images are
the same; only their labels are merged, in one way for all models, which the interval does not cover. Part of the
difference is the label's own, which tells more of an image if there are more.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, most_against_fewest
from vicious.results.schema import SUMMARY

SOURCE = "project"
EXPERIMENT = "merged_classes"
READS = {"merged_classes.csv": SUMMARY}
ABOVE = 0.0


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """For each dataset and kind of outputs: the most groups minus the fewest, in dB."""
    return most_against_fewest(tables["merged_classes.csv"], "groups")
