"""Simpler images are given away more: what vicious models tell beyond the label, on MNIST against another dataset.

Measured as the PSNR of the best attack minus that of the mean image of the predicted class, so that datasets can be
compared; beta_R = 1, logits. The datasets may have unlike numbers of images, schedules and seeds, which params.yaml
says.
"""

from collections.abc import Mapping

import pandas as pd

from vicious.claims.finding import Finding, between_models, reported_rows
from vicious.results.schema import SUMMARY
from vicious.study.grid import task_title

SOURCE = "paper"
EXPERIMENT = "main"
READS = {"main.csv": SUMMARY}
ABOVE = 0.0
SIMPLEST = "mnist"


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """MNIST minus each other dataset, in dB."""
    rows = reported_rows(tables["main.csv"])
    rows = rows.loc[(rows["role"] == "vicious") & (rows["outputs"] == "logits") & (rows["beta_r"] == 1.0)]
    beyond = {
        str(task): (group["psnr"] - group["psnr_class_mean"]).tolist()
        for task, group in rows.groupby("task", sort=False)
    }
    simplest = beyond.pop(SIMPLEST, [])
    return [
        Finding(
            f"{SIMPLEST}-{task}",
            f"{task_title(SIMPLEST)} against {task_title(task)}",
            "dB",
            *between_models(simplest, others),
            min(len(simplest), len(others)),
        )
        for task, others in beyond.items()
        if simplest
    ]
