"""Who has some labelled images can tell vicious models from honest ones better than by guessing.

Measured as the area under the ROC curve of linear decodability, for the largest number of the user's images.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding
from vicious.results.schema import SEPARATION
from vicious.study.grid import task_title

SOURCE = "project"
EXPERIMENT = "defense"
READS = {"detection_summary.csv": SEPARATION}
DETECTOR = "linear_decodability"
ABOVE = 0.5
"""The AUROC of guessing. Five models of each kind cannot show much more: where all are told apart, the interval begins
at 0.64."""


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """For each dataset and kind of vicious server: the AUROC."""
    rows = tables["detection_summary.csv"]
    rows = rows.loc[rows["detector"] == DETECTOR]
    rows = rows.loc[rows["n_user"] == rows["n_user"].max()]
    found = []
    for row in rows.to_dict("records"):
        name, models = f"{row['dataset']}/{row['server']}", int(min(row["honest_models"], row["vicious_models"]))
        what = f"{task_title(row['dataset'])}, {row['server']}, {row['n_user']:g} images"
        found.append(Finding(name, what, "", row["auroc"], row["auroc_low"], row["auroc_high"], models))
    return found
