"""Probabilities in place of logits still give away more than the predicted label does.

Measured as the PSNR of the best attack on softmax outputs, minus that of the mean image of the predicted class.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, over_models, reported_rows
from vicious.results.schema import SUMMARY
from vicious.study.grid import task_title

SOURCE = "paper"
EXPERIMENT = "main"
READS = {"main.csv": SUMMARY}
ABOVE = 0.0


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """For each task, role and beta_R: what is read beyond the label, in dB."""
    rows = reported_rows(tables["main.csv"])
    rows = rows.loc[(rows["outputs"] == "softmax") & (rows["role"] != "autoencoder")]
    found = []
    for (task, role, beta), group in rows.groupby(["task", "role", "beta_r"], sort=False):
        beyond = over_models((group["psnr"] - group["psnr_class_mean"]).tolist())
        of_role = f", beta_R = {beta:g}" if role == "vicious" else ""
        name, what = f"{task}/{role}/beta{beta:g}", f"{task_title(str(task))}, {role}{of_role}"
        found.append(Finding(name, what, "dB", *beyond, int(group["psnr"].notna().sum())))
    return found
