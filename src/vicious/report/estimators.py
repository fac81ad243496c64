"""R under every estimator of the covariance, and how each orders reconstructions: read, checked, and by model.

R needs the inverse of a covariance that is singular or nearly so, and every way to invert it gives another R.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from vicious.report import frames
from vicious.report.frames import NO_SEEDS, Group, OverSeeds
from vicious.results import schema
from vicious.system.errors import MixedResultsError

REFERENCES = ("psnr", "ssim")
"""Measures of image quality that R is held against in print."""
MEASURED = ("risk", "risk_class_mean", "risk_float32", "error_outside")
AGREED = ("agree", "agree_models", "spearman")


@dataclass(frozen=True)
class Profile:
    """R under every estimator of all seeds of one model and attack.

    ``rows`` are those of estimators.csv, one for each seed that succeeded and estimator.
    """

    group: Group
    rows: pd.DataFrame

    def measured(self, estimator: str) -> dict[str, OverSeeds]:
        """:data:`MEASURED` under an estimator, over the seeds; seeds without a result count as failed."""
        return {
            column: frames.over_seeds(np.array([*self.by_seed(estimator, column).values()]), self.group.planned)
            if self.group.applies(column)
            else NO_SEEDS
            for column in MEASURED
        }

    def by_seed(self, estimator: str, column: str = "risk") -> dict[float, float]:
        """One of :data:`MEASURED` under an estimator, by seed."""
        rows = self._by_estimator.get(estimator, self.rows.iloc[:0])
        return dict(zip(rows["seed"], rows[column], strict=True))

    @cached_property
    def _by_estimator(self) -> dict[str, pd.DataFrame]:
        return {str(name): rows for name, rows in self.rows.groupby("estimator", sort=False)}

    @cached_property
    def psnr(self) -> dict[float, float]:
        """PSNR in dB, by seed, of the seeds that succeeded."""
        return dict(zip(self.group.ok["seed"].astype(float), self.group.ok["psnr"].astype(float), strict=True))


def read_estimators(path: Path) -> pd.DataFrame:
    """Read an estimators.csv; raises as :func:`vicious.results.schema.read_table` and :func:`check_estimators`."""
    frame = schema.read_table(schema.ESTIMATORS, path)
    check_estimators(frame, str(path))
    return frame


def check_estimators(frame: pd.DataFrame, where: str = schema.ESTIMATORS.name) -> None:
    """Refuse a table of estimators that mixes configurations.

    Raises:
        DataError: see :func:`vicious.results.schema.check_table`.
        MixedResultsError: an estimator of one model, attack and seed appears twice, or differs in rank or share within
            a task.
    """
    schema.check_table(schema.ESTIMATORS, frame, where)
    ok = frame.loc[frame["status"] == "ok"]
    for column in ("rank", "share"):
        spread = ok.groupby(["task", "estimator"])[column].agg(["min", "max"])
        odd = spread.index[~np.isclose(spread["min"], spread["max"], rtol=1e-6, atol=0)]
        if len(odd):
            raise MixedResultsError(
                f"{where}: {' '.join(odd[0])} has several values of {column}: all models of a task are judged under "
                "one covariance; keep one configuration per results folder and run the step that writes it again"
            )


def profiles(
    estimators: pd.DataFrame, summary: pd.DataFrame, attacks: Mapping[schema.Role, str] | None = None
) -> list[Profile]:
    """The estimators of each group of the summary, in its order; ``attacks`` as for :func:`frames.groups`."""
    schema.check_table(schema.SUMMARY, summary)
    check_estimators(estimators)
    columns = [*schema.ESTIMATORS.part_of_key(), "status"]
    mine, theirs = (set(frame[columns].itertuples(index=False, name=None)) for frame in (estimators, summary))
    if mine != theirs:
        first = ", ".join(f"{name} {value}" for name, value in zip(columns, min(mine ^ theirs, key=str), strict=True))
        raise MixedResultsError(
            f"the estimators and the summary are not of the same results ({first}): run the steps that write them again"
        )
    ok = estimators.loc[estimators["status"] == "ok"]
    return [Profile(group, _of(ok, group)) for group in frames.groups(summary, attacks)]


def settings(frame: pd.DataFrame) -> pd.DataFrame:
    """The estimators in a table by name, kind and parameter, each once, by kind and then as they come."""
    kinds = (*schema.ESTIMATOR_KINDS, schema.PSNR_ITSELF)
    known = frame.loc[frame["kind"].isin(kinds), list(schema.ESTIMATOR)].drop_duplicates("estimator")
    return known.sort_values("kind", key=lambda names: names.map(kinds.index), kind="stable").reset_index(drop=True)


def title_of(estimator: str, kind: str, parameter: float) -> str:
    """An estimator for readers: ``cut-off 1.2e-07 d``, ``share 0.95 (R95)``."""
    titles = {
        "share": f"share {parameter:g}" + (" (R95)" if parameter == 0.95 else ""),
        "truncated": f"cut-off {parameter:g} d",
        "ridge": f"ridge {parameter:g}",
        "ledoit_wolf": "Ledoit-Wolf",
        "identity": "no whitening",
        "psnr": "PSNR in place of R",
    }
    return titles.get(kind, estimator)


def _of(frame: pd.DataFrame, group: Group) -> pd.DataFrame:
    same = (frame["task"] == group.task) & (frame["role"] == group.role) & (frame["outputs"] == group.outputs)
    same &= frame["attack"] == group.attack
    return frame.loc[same & ((frame["beta_r"] == group.beta_r) | (group.role != "vicious"))]
