"""A user who sends the label alone gives away no more than the mean image of the predicted class shows.

Measured as the PSNR of the best attack on the label, minus that of the mean image of the predicted class.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, over_models, reported_rows
from vicious.results.schema import SUMMARY
from vicious.study.grid import task_title

SOURCE = "project"
EXPERIMENT = "mitigations"
READS = {"mitigations.csv": SUMMARY}
BELOW = 0.2
"""PSNR in dB; less counts as nothing."""


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """For each task and role: what is read beyond the label, in dB."""
    rows = tables["mitigations.csv"]
    if "best" in set(rows["attack"]):
        rows = reported_rows(rows)
    else:  # every attack is trained on what is sent
        rows = rows.loc[(rows["attack"] == "posthoc") & (rows["means"] == "") & (rows["evasion"] == 0)]
    rows = rows.loc[rows["outputs"] == "label"]
    found = []
    for (task, role), group in rows.groupby(["task", "role"], sort=False):
        beyond = over_models((group["psnr"] - group["psnr_class_mean"]).tolist())
        what = f"{task_title(str(task))}, {role}"
        found.append(Finding(f"{task}/{role}", what, "dB", *beyond, int(group["psnr"].notna().sum())))
    return found
