"""With more classes, hence more outputs, more is given away by vicious models.

Measured as the PSNR of the best attack with the most classes minus that with the fewest. Both see as many images, but
not the same ones: with more classes they are more varied.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, between_models, reported_rows
from vicious.results.schema import SUMMARY
from vicious.study.grid import task_title

SOURCE = "paper"
EXPERIMENT = "class_counts"
READS = {"class_counts.csv": SUMMARY}
ABOVE = 0.0


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """For each dataset and kind of outputs: the most classes minus the fewest, in dB."""
    rows = reported_rows(tables["class_counts.csv"])
    rows = rows.loc[rows["role"] == "vicious"]
    found = []
    for (dataset, outputs), group in rows.groupby(["dataset", "outputs"], sort=False):
        fewest, most = int(group["k"].min()), int(group["k"].max())
        if fewest < most:
            few, many = (group.loc[group["k"] == k, "psnr"].tolist() for k in (fewest, most))
            what = f"{task_title(str(dataset))}, {outputs}, {most} against {fewest} classes"
            measured = between_models(many, few)
            found.append(Finding(f"{dataset}/{outputs}", what, "dB", *measured, min(len(few), len(many))))
    return found
