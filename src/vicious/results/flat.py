"""The study's numbers as one flat JSON, for tools that compare versions of it such as ``dvc metrics diff``."""

from pathlib import Path
from typing import Any

import pandas as pd

from vicious.results.schema import AGAIN, ESTIMATORS, MEASURES, SUMMARY, read_table
from vicious.results.summaries import failed_cells
from vicious.system.files import write_json

Flat = dict[str, float | int | str | None]


def flatten(summary: pd.DataFrame) -> Flat:
    """Mean and spread over seeds of each measure of each model and attack, under names such as
    ``mnist/vicious-logits-beta1/joint/psnr`` and ``mnist/honest/posthoc-logits/psnr``.

    ``.../seeds`` counts them, ``.../psnr_std`` is there for two seeds or more. Where seeds failed, ``.../reason`` says
    why and ``.../failed`` how many; where all did, the measures are None. A measure that a model does not have (the
    accuracy of an autoencoder) is left out.

    Args:
        summary: as :func:`vicious.results.summaries.collect` makes it, without adaptive servers.
    """
    flat: Flat = {}
    for _, rows in summary.groupby(list(ESTIMATORS.group), sort=False):
        name = _name(rows.iloc[0])
        flat |= {f"{name}/{key}": value for key, value in _numbers(rows).items()}
    return flat


def _name(row: Any) -> str:
    """Task, model and attack, named as in the paths of results."""
    model = [row.role, *([] if row.role == "honest" else [row.outputs])]
    model += [f"beta{float(row.beta_r)!r}".removesuffix(".0")] if row.role == "vicious" else []
    kind, *decoder = row.attack.split("-")
    attack = "-".join([kind, *([] if kind == "joint" else [row.outputs]), *decoder])
    return f"{row.task}/{'-'.join(model)}/{attack}"


def _numbers(rows: pd.DataFrame) -> Flat:
    failed = failed_cells(rows)
    sound = rows.drop(index=failed.index)
    found: Flat = {"seeds": len(sound)}
    if len(failed):
        found |= {"failed": len(failed), "reason": "; ".join(dict.fromkeys(failed))}
    for measure in MEASURES:
        values = sound[measure].dropna()
        if len(values):
            found[measure] = float(values.mean())
        elif not len(sound):
            found[measure] = None
        if len(values) > 1:
            found[f"{measure}_std"] = float(values.std())
    return found


def write_metrics(summary: Path, out: Path) -> None:
    """Write :func:`flatten` of a summary's CSV as JSON."""
    write_json(out, flatten(read_table(SUMMARY, summary, AGAIN)))
