"""What the choice of the covariance's estimator makes of R.

Printed are chosen estimators, the honest models and one vicious model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.report import frames, render
from vicious.report.estimators import (
    AGREED,
    MEASURED,
    REFERENCES,
    Profile,
    profiles,
    read_estimators,
    settings,
    title_of,
)
from vicious.report.frames import NO_SEEDS, PUBLISHED, OverSeeds
from vicious.report.render import Column, Line, Table
from vicious.report.text import ABOUT_RISK, ABOUT_SEEDS, Text, best_attack, counts
from vicious.results.schema import AGREEMENT, ATTACK_OF, ESTIMATOR, SUMMARY, check_table, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "main"
PRINTED = (
    *("truncated 2.2e-16", PUBLISHED, "truncated 1e-06", "truncated 1e-05"),
    *("ridge 0.01", "ridge 1", "ledoit_wolf"),
    *("share 0.9", "share 0.95", "share 0.99", "identity"),
)
"""Estimators that the printed table shows, in this order."""
AS_REFERENCE, REVERSED, UNCLEAR = "as PSNR", "reversed", "unclear"


def write(estimators: Path, agreement: Path, summary: Path, out: Destination) -> tuple[Path, ...]:
    rows = read_table(SUMMARY, Path(summary))
    table = numbers(read_estimators(Path(estimators)), read_table(AGREEMENT, Path(agreement)), rows)
    return render.write(out, Table(table, columns(rows), lines(table), text(table, rows)))


def numbers(estimators: pd.DataFrame, agreement: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """A row for each task, estimator and attack, from those of three tables of results.

    The agreements are those of the task and estimator, over all its attacks, and stand in each of its rows. ``order``
    compares R with that of the honest models of the same seed, both under the original's attacks: "as PSNR", "reversed"
    where the risk calls that model the safer one that PSNR calls the worse, or "unclear" where the seeds that both have
    do not agree in the sign of the difference of R and of PSNR; empty where it does not apply. Where all attacks of a
    task failed, its rows have no estimator.
    """
    check_table(AGREEMENT, agreement)
    found, originals = profiles(estimators, summary), profiles(estimators, summary, ATTACK_OF)
    source = frames.sources(summary)
    rows: list[dict[str, Any]] = []
    for task in source:
        here = [profile for profile in found if profile.group.task == task]
        agreed = agreement.loc[agreement["task"] == task]
        chosen = estimators.loc[(estimators["task"] == task) & (estimators["status"] == "ok")]
        # The same for all models, as the covariance is.
        ranks = chosen[["estimator", "rank", "pixels", "share"]].drop_duplicates("estimator")
        known: list[dict[Any, Any]] = settings(chosen).merge(ranks).to_dict("records")
        for setting in known or [{"estimator": "", "kind": ""}]:
            name = setting["estimator"]
            facts = {**setting, "source": source[task]} | (_agreed(agreed, task, name) if name else {})
            rows += [
                profile.group.facts()
                | facts
                | {"order": _order(profile, originals, name)}
                | render.spread_columns(profile.measured(name))
                for profile in here
            ]
    return render.numbers(rows, _COLUMNS)


def lines(table: pd.DataFrame) -> list[Line]:
    printed: list[Line] = []
    for _, rows in table.groupby("task", sort=False):
        first = rows.loc[rows["outputs"] == rows["outputs"].iloc[0]]
        by_name = {str(name): same.to_dict("records") for name, same in first.groupby("estimator", sort=False)}
        printed += [_line(by_name[name]) for name in [name for name in PRINTED if name in by_name] or [""]]
    return render.once(printed, ("title",))


_BEFORE = (
    Column("title", "Dataset", text=True),
    Column("estimator", "Estimator", text=True),
    Column("rank", "Rank"),
    Column("share", "Variance kept", r"\shortstack{Var.\\kept}", decimals=4),
)
_AFTER = (
    Column("vicious", "R, vicious", r"\shortstack{$R$\\vicious}"),
    Column("order", "Order", text=True),
    Column("class_mean", "R, class mean", r"\shortstack{$R$, class\\mean}"),
    Column("float32", "R, honest, float32", r"\shortstack{$R$, honest\\float32}"),
    Column("outside", "Error outside", r"\shortstack{Error\\outside}"),
    Column("agree_psnr", "Agreement PSNR", r"\shortstack{Agree\\PSNR}", decimals=2),
    Column("agree_ssim", "Agreement SSIM", r"\shortstack{Agree\\SSIM}", decimals=2),
    Column("spearman", "Spearman PSNR", r"\shortstack{Spearm.\\PSNR}", decimals=2),
)


def columns(summary: pd.DataFrame) -> list[Column]:
    honest = frames.model_words(summary)["honest"]
    latex = r"\shortstack{$R$, " + honest.replace(", ", r"\\") + "}"
    return [*_BEFORE, Column("honest", f"R, {honest}", latex), *_AFTER]


def text(table: pd.DataFrame, summary: pd.DataFrame) -> Text:
    orders = [line["order"] for line in lines(table) if line["order"]]
    reverse, unclear = orders.count(REVERSED), orders.count(UNCLEAR)
    found = f" {reverse} of the {len(orders)} lines that compare two are {REVERSED}, {unclear} {UNCLEAR}."
    groups, attack = frames.groups(summary), frames.attack_words(summary)["honest"]
    return Text(
        "The reconstruction risk R under estimators of the covariance's inverse, and how each orders reconstructions "
        f"beside PSNR and SSIM.{best_attack(summary)} {counts(groups)} R has no unit; larger is worse for privacy.",
        (
            frames.about_best(summary, "R"),
            "Cut-off c d: components with an eigenvalue above c times d times the largest, for d pixels. 1.2e-07 d is "
            "the published definition, 2.2e-16 d what a float64 pseudo-inverse keeps. Ridge: in units of the mean "
            "variance. Share: the fewest leading components that explain that share of it. Rank: components kept.",
            f"R, vicious: for the smallest beta_R; if that failed, no other replaces it.{_printed_outputs(table)}",
            f"Order: {REVERSED} where R and PSNR disagree on which model leaks more; {UNCLEAR} where seeds "
            f"differ; a single seed decides alone.{found if orders else ''}",
            "Class mean: R of the mean image of the class that the honest model predicts. Float32: R of the "
            f"{attack}, computed in float32. Error outside: share of its squared error outside the kept components.",
            "Agreement: how often R orders two reconstructions of one test image as PSNR or SSIM does, ties half; 0.5 "
            "is chance. Spearman: rank correlation of R and PSNR over test images, mean over attacks. Order, "
            "agreement and Spearman are of the original study's attacks.",
            f"{ABOUT_RISK} {ABOUT_SEEDS}",
            f"{frames.conditions(summary, risk=True)}{frames.risk_elsewhere(summary)}",
        ),
        frames.failures(groups),
    )


def _printed_outputs(table: pd.DataFrame) -> str:
    if len(set(table["outputs"])) < 2:
        return ""
    first = table.groupby("task", sort=False)["outputs"].first()
    return f" Printed for {', '.join(dict.fromkeys(first))}; other outputs and beta_R are in the CSV."


_COLUMNS = (
    *("dataset", "task", "title", "source", "role", "attack", "outputs", "beta_r", "seeds"),
    *(*ESTIMATOR, "rank", "pixels", "share"),
    *render.spread_names(MEASURED),
    *("order", *(f"{column}_{reference}" for reference in REFERENCES for column in AGREED), "failures"),
)


def _model(one: Profile) -> tuple[str, str, str, float]:
    return one.group.task, one.group.outputs, one.group.role, one.group.beta_r


def _order(profile: Profile, originals: Sequence[Profile], estimator: str) -> str | None:
    """Whether R orders this model and the honest one as PSNR does, if all seeds agree about it: under the original's
    attacks, since the best one for R may be another than that for PSNR."""
    of = {_model(one): one for one in originals}
    mine = of.get(_model(profile))
    honest = of.get((profile.group.task, profile.group.outputs, "honest", 0.0))
    if profile.group.role == "honest" or mine is None or honest is None:
        return None
    pairs = ((mine.by_seed(estimator), honest.by_seed(estimator)), (mine.psnr, honest.psnr))
    risk, quality = (np.sign([one[seed] - other[seed] for seed in one if seed in other]) for one, other in pairs)
    if not len(risk) or np.isnan([*risk, *quality]).any():
        return None
    if len({*risk}) > 1 or len({*quality}) > 1:
        return UNCLEAR
    return {1: AS_REFERENCE, -1: REVERSED}.get(int(risk[0] * quality[0]))


def _agreed(agreement: pd.DataFrame, task: str, estimator: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for reference in REFERENCES:
        same = agreement.loc[(agreement["estimator"] == estimator) & (agreement["reference"] == reference)]
        if same.empty:
            raise DataError(
                f"the agreements have no row of {task}, {estimator}, {reference}: run the step that writes them again"
            )
        found |= {f"{column}_{reference}": float(same[column].iloc[0]) for column in AGREED}
    return found


def _line(chosen: Sequence[Mapping[Any, Any]]) -> Line:
    """The printed values of one task and estimator from its rows, the vicious one with the smallest beta_R."""
    first = chosen[0]
    honest, vicious = (_first(chosen, role) for role in ("honest", "vicious"))
    return {
        "title": frames.marked_title(first["task"], first["source"]),
        "estimator": title_of(first["estimator"], first["kind"], first["parameter"]) or "any",
        "rank": None if pd.isna(first["rank"]) else int(first["rank"]),
        "share": float(first["share"]),
        "honest": NO_SEEDS if honest is None else render.cell_of(honest, "risk"),
        "vicious": NO_SEEDS if vicious is None else render.cell_of(vicious, "risk"),
        "order": vicious["order"] if vicious is not None and isinstance(vicious["order"], str) else None,
        "class_mean": _mean(honest, "risk_class_mean"),
        "float32": _mean(honest, "risk_float32"),
        "outside": _mean(honest, "error_outside"),
        "agree_psnr": float(first["agree_psnr"]),
        "agree_ssim": float(first["agree_ssim"]),
        "spearman": float(first["spearman_psnr"]),
    }


def _first(chosen: Sequence[Mapping[Any, Any]], role: str) -> Mapping[Any, Any] | None:
    return min((row for row in chosen if row["role"] == role), key=lambda row: row["beta_r"], default=None)


def _mean(row: Mapping[Any, Any] | None, column: str) -> OverSeeds | None:
    """A mean without its spread, for want of room."""
    return None if row is None else replace(render.cell_of(row, column), sd=np.nan)
