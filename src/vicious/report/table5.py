"""Table 5: what the choice of the covariance's estimator makes of R, and what figures 8 and 9 read too.

R needs the inverse of a covariance that is singular or nearly so, and every way to invert it gives another R. The CSV
has a row for each task, estimator and attack; printed is a chosen subset, the post-hoc attack against one vicious model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.report import frames, tables
from vicious.report.frames import PUBLISHED, Cell, Group
from vicious.report.tables import Column, Value
from vicious.system.errors import DataError, MixedResultsError

PRINTED = (
    *("truncated 2.2e-16", PUBLISHED, "truncated 1e-06", "truncated 1e-05"),
    *("ridge 0.01", "ridge 1", "ledoit_wolf"),
    *("share 0.9", "share 0.95", "share 0.99", "identity"),
)
"""Estimators that the printed table shows, in this order."""
SETTING = ("estimator", "kind", "parameter")
KINDS = ("share", "truncated", "ridge", "ledoit_wolf", "identity")
"""Kinds of estimators, in the order of figures."""
ITSELF = ("psnr",)
"""Kind of PSNR in place of R, which has agreements alone."""
REFERENCES = ("psnr", "ssim")
"""Measures of image quality that R is held against in print."""
MEASURED = ("risk", "risk_class_mean", "risk_float32", "error_outside")
_CELL = ("task", "role", "attack", "outputs", "beta_r", "seed")
_TEXT = ("dataset", "task", "role", "attack", "outputs", "status", "reason", "source", "estimator", "kind")
_NUMBERS = ("beta_r", "seed", "parameter", "rank", "pixels", "share", *MEASURED)
_AGREED = ("agree", "agree_models", "spearman")
_AGREEMENT_TEXT = ("dataset", "task", "estimator", "kind", "reference")
_AGREEMENT_NUMBERS = ("parameter", *_AGREED, "pairs", "models")
AS_REFERENCE, REVERSED, UNCLEAR = "as PSNR", "reversed", "unclear"


@dataclass(frozen=True)
class Profile:
    """R under every estimator of all seeds of one model and attack.

    Attributes:
        group: the model and attack, with the seeds of its summary.
        rows: of estimators.csv, a row per seed that succeeded and estimator.
    """

    group: Group
    rows: pd.DataFrame

    def cell(self, estimator: str, column: str) -> Cell:
        """One of :data:`MEASURED` under an estimator, over the seeds; seeds without a result count as failed."""
        if column == "risk_class_mean" and not self.group.applies(column):
            return Cell(np.nan, np.nan, 0, 0)
        return frames.cell(np.array(list(self.by_seed(estimator, column).values()), dtype=float), self.group.planned)

    def by_seed(self, estimator: str, column: str = "risk") -> dict[float, float]:
        """One of :data:`MEASURED` under an estimator, by seed."""
        rows = self._by_estimator.get(estimator)
        return {} if rows is None else dict(zip(rows["seed"], rows[column], strict=True))

    @cached_property
    def psnr(self) -> dict[float, float]:
        """PSNR in dB, by seed, of the seeds that succeeded."""
        ok = self.group.rows.loc[self.group.rows["status"] == "ok"]
        return dict(zip(ok["seed"].astype(float), ok["psnr"].astype(float), strict=True))

    @cached_property
    def _by_estimator(self) -> dict[str, pd.DataFrame]:
        return {str(name): rows for name, rows in self.rows.groupby("estimator", sort=False)}


def read_estimators(path: Path) -> pd.DataFrame:
    """Read and check an estimators.csv.

    Raises:
        DataError: it is missing, empty, not a table, lacks a column, or holds an unknown role, status or kind.
        MixedResultsError: an estimator of one cell appears twice, or differs in rank or share within a task.
    """
    frame = frames.read_table(path, _TEXT, _NUMBERS)
    check_estimators(frame, str(path))
    return frame


def read_agreement(path: Path) -> pd.DataFrame:
    """Read and check an agreement.csv; raises as :func:`read_estimators`."""
    frame = frames.read_table(path, _AGREEMENT_TEXT, _AGREEMENT_NUMBERS)
    check_agreement(frame, str(path))
    return frame


def check_estimators(frame: pd.DataFrame, where: str = "estimators") -> None:
    """Refuse a table of estimators that mixes configurations; raises as :func:`read_estimators`."""
    frames.require(frame, (*_TEXT, *_NUMBERS), where)
    frames.known_values(frame, where, role=tuple(frames.ATTACK_OF), status=("ok", "failed"))
    ok = frame.loc[frame["status"] == "ok"]
    frames.known_values(ok, where, kind=KINDS)
    frames.unique(frame, (*_CELL, "estimator"), where)
    for column in ("rank", "share"):
        spread = ok.groupby(["task", "estimator"])[column].agg(["min", "max"])
        odd = spread.index[~np.isclose(spread["min"], spread["max"], rtol=1e-6, atol=0)]
        if len(odd):
            raise MixedResultsError(
                f"{where}: {' '.join(odd[0])} has several values of {column}: all models of a task are judged under "
                "one covariance; keep one configuration per results folder and run the step that writes it again"
            )


def check_agreement(frame: pd.DataFrame, where: str = "agreement") -> None:
    """Refuse a table of agreements that lacks a column or holds a row twice; raises as :func:`read_estimators`."""
    frames.require(frame, (*_AGREEMENT_TEXT, *_AGREEMENT_NUMBERS), where)
    frames.known_values(frame.loc[frame["models"] > 0], where, kind=(*KINDS, *ITSELF))
    frames.unique(frame, ("task", "estimator", "reference"), where)
    for column in _AGREED:
        low = -1.0 if column == "spearman" else 0.0
        if ((frame[column] < low - 1e-9) | (frame[column] > 1 + 1e-9)).any():
            raise DataError(
                f"{where}: {column} is not between {low:g} and 1 everywhere: run the step that writes it again"
            )


def profiles(estimators: pd.DataFrame, summary: pd.DataFrame) -> list[Profile]:
    """The estimators of each group of the summary, in its order.

    Raises:
        DataError: a column is missing.
        MixedResultsError: the two do not hold the same cells.
    """
    frames.check_summary(summary)
    check_estimators(estimators)
    columns = [*_CELL, "status"]
    mine, theirs = (set(frame[columns].itertuples(index=False, name=None)) for frame in (estimators, summary))
    if mine != theirs:
        first = ", ".join(f"{name} {value}" for name, value in zip(columns, min(mine ^ theirs, key=str), strict=True))
        raise MixedResultsError(
            f"the estimators and the summary are not of the same results ({first}): run the steps that write them again"
        )
    ok = estimators.loc[estimators["status"] == "ok"]
    return [Profile(group, _of(ok, group)) for group in frames.groups(summary)]


def settings(frame: pd.DataFrame) -> pd.DataFrame:
    """The estimators in a table by name, kind and parameter, each once, by kind and then as they come."""
    kinds = (*KINDS, *ITSELF)
    known = frame.loc[frame["kind"].isin(kinds), list(SETTING)].drop_duplicates("estimator")
    ordered = known.assign(_kind=known["kind"].map(kinds.index)).sort_values("_kind", kind="stable")
    return ordered.drop(columns="_kind").reset_index(drop=True)


def name(estimator: str, kind: str, parameter: float) -> str:
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


def table5(estimators: pd.DataFrame, agreement: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """The numbers of table 5, a row for each task, estimator and attack.

    ``risk``, ``risk_class_mean``, ``risk_float32`` and ``error_outside`` have columns ``_mean``, ``_sd`` (ddof 1, over
    seeds) and ``_n`` (seeds that succeeded); ``seeds`` counts those planned. The agreements are those of the task and
    estimator, over all its attacks, and stand in each of its rows. ``order`` compares R of the attack and of the
    post-hoc one on the honest models of the same seed: "as PSNR", "reversed" where the risk calls that model the safer
    one that PSNR calls the worse, or "unclear" where the seeds that both have do not agree in the sign of the
    difference of R and of PSNR; empty where it does not apply. ``failures`` says why seeds have no result. Where all
    attacks of a task failed, its rows have no estimator.

    Args:
        estimators: rows of estimators.csv.
        agreement: rows of agreement.csv.
        summary: rows of the main comparison's summary.

    Raises:
        DataError: a column is missing, or an agreement is.
        MixedResultsError: the rows mix configurations, or the three are not of one run.
    """
    check_agreement(agreement)
    found = profiles(estimators, summary)
    source = frames.sources(summary)
    rows: list[dict[str, Any]] = []
    for task in source:
        here = [profile for profile in found if profile.group.task == task]
        keys = [_key(profile.group, source[task]) for profile in here]
        agreed = agreement.loc[agreement["task"] == task]
        chosen = estimators.loc[(estimators["task"] == task) & (estimators["status"] == "ok")]
        for setting in _settings_or_none(chosen):
            facts = _facts(chosen, setting)
            told = _agreed(agreed, task, setting["estimator"]) if setting["estimator"] else {}
            rows += [
                key | facts | _measured(profile, here, setting["estimator"]) | told
                for key, profile in zip(keys, here, strict=True)
            ]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype({**dict.fromkeys(_INTEGERS, "Int64"), **dict.fromkeys(_FLOATS, "float64")})


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :data:`PRINTED_COLUMNS`."""
    printed: list[dict[str, Value]] = []
    for _, block in table.groupby("task", sort=False):
        rows = [row for row in block.to_dict("records") if row["outputs"] == block["outputs"].iloc[0]]
        title = frames.marked_title(rows[0]["task"], rows[0]["source"])
        names = set(block["estimator"])
        for index, estimator in enumerate([name for name in PRINTED if name in names] or [""]):
            chosen = [row for row in rows if row["estimator"] == estimator]
            printed.append({"title": "" if index else title, **_line(chosen)})
    return printed


PRINTED_COLUMNS = (
    Column("title", "Dataset", text=True),
    Column("estimator", "Estimator", text=True),
    Column("rank", "Rank"),
    Column("share", "Variance kept", r"\shortstack{Var.\\kept}", decimals=4),
    Column("honest", "R, honest, post-hoc", r"\shortstack{$R$, honest\\post-hoc}"),
    Column("vicious", "R, vicious", r"\shortstack{$R$\\vicious}"),
    Column("order", "Order", text=True),
    Column("class_mean", "R, class mean", r"\shortstack{$R$, class\\mean}"),
    Column("float32", "R, honest, float32", r"\shortstack{$R$, honest\\float32}"),
    Column("outside", "Error outside", r"\shortstack{Error\\outside}"),
    Column("agree_psnr", "Agreement PSNR", r"\shortstack{Agree\\PSNR}", decimals=2),
    Column("agree_ssim", "Agreement SSIM", r"\shortstack{Agree\\SSIM}", decimals=2),
    Column("spearman", "Spearman PSNR", r"\shortstack{Spearm.\\PSNR}", decimals=2),
)


def caption(table: pd.DataFrame, summary: pd.DataFrame) -> str:
    """The caption, with the settings used and how to read the cells."""
    orders = [line["order"] for line in lines(table) if line["order"]]
    counts = f"{orders.count(REVERSED)} of the {len(orders)} lines that compare two are {REVERSED}"
    verdict = f" {counts}, {orders.count(UNCLEAR)} {UNCLEAR}." if orders else ""
    return (
        "The reconstruction risk R under different estimators of the covariance's inverse. Cut-off c d: components "
        "with an eigenvalue above c times d times the largest, for d pixels; 1.2e-07 d is the published definition, "
        "2.2e-16 d what a float64 pseudo-inverse keeps. Ridge: in units of the mean variance. Share: the fewest leading "
        "components that explain that share of the variance. No whitening: plain distances. Rank: components kept. "
        "R of the post-hoc attack on honest models and of the vicious model with the smallest beta_R, even where that "
        "failed: mean ± standard deviation over seeds, none for a single seed; seeds without a result are counted as "
        "failed and left out of every mean; larger is worse for privacy, 1 is guessing the mean image. "
        f"Order: {REVERSED} where R calls the vicious model the safer one although its PSNR is higher, or the "
        f"other way round; {UNCLEAR} where this is not the same for every seed; a single seed decides alone.{verdict}"
        f"{_printed_outputs(table)} Class mean: R of the mean image of the class that the honest model predicts. "
        "Float32: R of the post-hoc attack from a factorisation and arithmetic in float32. Error outside: share of the "
        "post-hoc attack's squared error outside the kept components. Agreement: share of (test image, pair of "
        "attacks) that R orders as PSNR or SSIM does, ties half, over all attacks on the same task and seed; 0.5 is "
        "chance. Spearman: rank correlation of R and PSNR over test images, mean over attacks. "
        f"{frames.settings(summary, risk=True)}{frames.risk_elsewhere(summary)}"
    )


def _printed_outputs(table: pd.DataFrame) -> str:
    """A sentence that says which outputs are printed, where there are several kinds."""
    if len(set(table["outputs"])) < 2:
        return ""
    first = table.groupby("task", sort=False)["outputs"].first()
    return f" Printed for {', '.join(dict.fromkeys(first))}; other outputs and beta_R are in the CSV."


def write(estimators: Path, agreement: Path, summary: Path, out: Path) -> tuple[Path, ...]:
    """Write table5.csv, table5.md and table5.tex below ``out``, and return their paths.

    Args:
        estimators: R under every estimator, of the main comparison.
        agreement: agreement of each estimator with image quality.
        summary: the main comparison's summary.
        out: folder.

    Raises:
        DataError: an input is damaged or lacks a column.
        MixedResultsError: an input mixes configurations, or the three are not of one run.
        StorageError: a file cannot be written.
    """
    rows = frames.read_summary(Path(summary))
    table = table5(read_estimators(Path(estimators)), read_agreement(Path(agreement)), rows)
    notes = frames.failures(frames.groups(rows))
    return tables.write(5, table, PRINTED_COLUMNS, lines(table), caption(table, rows), Path(out), notes)


_INTEGERS = ("seeds", "rank", "pixels", *(f"{column}_n" for column in MEASURED))
_AGREED_COLUMNS = tuple(f"{column}_{reference}" for reference in REFERENCES for column in _AGREED)
_MEASURED_FLOATS = tuple(f"{column}_{end}" for column in MEASURED for end in ("mean", "sd"))
_FLOATS = ("beta_r", "parameter", "share", *_MEASURED_FLOATS, *_AGREED_COLUMNS)
_COLUMNS = (
    *("dataset", "task", "title", "source", "role", "attack", "outputs", "beta_r", "seeds"),
    *(*SETTING, "rank", "pixels", "share"),
    *(f"{column}_{end}" for column in MEASURED for end in ("mean", "sd", "n")),
    *("order", *_AGREED_COLUMNS, "failures"),
)


def _of(frame: pd.DataFrame, group: Group) -> pd.DataFrame:
    """The rows of one group."""
    same = (frame["task"] == group.task) & (frame["role"] == group.role) & (frame["outputs"] == group.outputs)
    same &= frame["attack"] == frames.ATTACK_OF[group.role]
    return frame.loc[same & ((frame["beta_r"] == group.beta_r) | (group.role != "vicious"))]


def _settings_or_none(chosen: pd.DataFrame) -> list[dict[Any, Any]]:
    """The estimators of a task; one without a name where all its attacks failed."""
    found = settings(chosen).to_dict("records")
    return found or [dict(zip(SETTING, ("", "", np.nan), strict=True))]


def _facts(chosen: pd.DataFrame, setting: Mapping[Any, Any]) -> dict[str, Any]:
    """Name, rank and share of an estimator: those of the covariance, the same for all models."""
    same = chosen.loc[chosen["estimator"] == setting["estimator"]]
    if same.empty:
        return {key: setting[key] for key in SETTING}
    return {key: setting[key] for key in SETTING} | {key: same[key].iloc[0] for key in ("rank", "pixels", "share")}


def _key(group: Group, source: str) -> dict[str, Any]:
    return {
        "dataset": group.dataset,
        "task": group.task,
        "title": frames.title(group.task),
        "source": source,
        "role": group.role,
        "attack": frames.ATTACK_OF[group.role],
        "outputs": group.outputs,
        "beta_r": group.beta_r,
        "seeds": group.planned,
        "failures": "; ".join(group.failures()),
    }


def _measured(profile: Profile, here: Sequence[Profile], estimator: str) -> dict[str, Any]:
    found: dict[str, Any] = {"order": _order(profile, here, estimator)}
    for column in MEASURED:
        cell = profile.cell(estimator, column)
        found |= {f"{column}_mean": cell.mean, f"{column}_sd": cell.sd, f"{column}_n": cell.ok}
    return found


def _order(profile: Profile, here: Sequence[Profile], estimator: str) -> str | None:
    """Whether R orders this model and the honest one, post-hoc, as PSNR does, if all seeds agree about it."""
    honest = [one for one in here if (one.group.role, one.group.outputs) == ("honest", profile.group.outputs)]
    if profile.group.role == "honest" or not honest:
        return None
    risk, quality = (
        np.sign([mine[seed] - theirs[seed] for seed in mine if seed in theirs])
        for mine, theirs in (
            (profile.by_seed(estimator), honest[0].by_seed(estimator)),
            (profile.psnr, honest[0].psnr),
        )
    )
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
        found |= {f"{column}_{reference}": float(same[column].iloc[0]) for column in _AGREED}
    return found


def _line(chosen: Sequence[Mapping[Any, Any]]) -> dict[str, Value]:
    """The printed values of one task and estimator from its rows, the vicious one with the smallest beta_R."""
    first = chosen[0]
    honest, vicious = (_first(chosen, role) for role in ("honest", "vicious"))
    return {
        "estimator": name(first["estimator"], first["kind"], first["parameter"]) or "any",
        "rank": None if pd.isna(first["rank"]) else int(first["rank"]),
        "share": float(first["share"]),
        "honest": _cell(honest),
        "vicious": _cell(vicious),
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


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell(np.nan, np.nan, 0, 0)
    return Cell(float(row["risk_mean"]), float(row["risk_sd"]), int(row["risk_n"]), int(row["seeds"]))


def _mean(row: Mapping[Any, Any] | None, column: str) -> Cell | None:
    """A mean without its spread, for want of room."""
    if row is None:
        return None
    return Cell(float(row[f"{column}_mean"]), np.nan, int(row[f"{column}_n"]), int(row["seeds"]))
