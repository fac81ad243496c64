"""Whether a threshold on a target model's loss tells its training images from test images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.metrics.membership import CHANCE_AUC, FPRS
from vicious.metrics.paired import holm, paired_means
from vicious.report import frames, render
from vicious.report.frames import PERCENT, OverSeeds
from vicious.report.render import FEWEST_SEEDS, Column, Difference, Line, Table
from vicious.report.text import ABOUT_SEEDS, Text, span
from vicious.results.memberships import read_membership
from vicious.results.schema import TPR_COLUMNS
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
_IN_PERCENT = (*TPR_COLUMNS, "accuracy_members", "accuracy_non_members")
_MEASURES = ("auc", "advantage", *_IN_PERCENT, "loss_members", "loss_non_members")
_COLUMNS = (
    *("dataset", "task", "title", "source", "outputs", "role", "beta_r", "members", "non_members", "seeds"),
    *render.spread_names(_MEASURES),
    *("auc_low", "auc_high", "auc_images", "advantage_chance"),
    *(f"difference_{end}" for end in ("mean", "low", "high", "p", "holm", "n")),
    "failures",
)


@dataclass(frozen=True)
class Tested:
    """All seeds of one target model, and the honest models of its task, in rows of the summary."""

    rows: pd.DataFrame
    honest: pd.DataFrame

    @property
    def first(self) -> Mapping[Any, Any]:
        """The row of the first seed, which tells the model."""
        return dict(self.rows.iloc[0])

    @property
    def ok(self) -> pd.DataFrame:
        return self.rows.loc[self.rows["status"] == "ok"]

    def cells(self) -> dict[str, OverSeeds | None]:
        """Measures over the seeds; None for a true positive rate that so few non-members cannot tell."""
        found: dict[str, OverSeeds | None] = {}
        for name in _MEASURES:
            values = self.ok[name].to_numpy(dtype=float) * (PERCENT if name in _IN_PERCENT else 1.0)
            unresolved = name in TPR_COLUMNS and len(values) and np.isnan(values).all()
            found[name] = None if unresolved else frames.over_seeds(values, len(self.rows))
        return found

    def differences(self) -> NDArray[np.float64]:
        """AUC minus that of the honest model, of each seed that both have, (n,)."""
        honest = self.honest.loc[self.honest["status"] == "ok"].set_index("seed")["auc"]
        return (self.ok.set_index("seed")["auc"] - honest).dropna().to_numpy(dtype=float)

    def failures(self) -> list[str]:
        seeds: dict[str, list[str]] = {}
        for row in self.rows.loc[self.rows["status"] != "ok"].to_dict("records"):
            seeds.setdefault(frames.one_line(row["reason"]), []).append(f"{row['seed']:g}")
        return [f"{_label(self.first)}, seed {', '.join(which)}: {reason}" for reason, which in seeds.items()]


def write(membership: Path, out: Destination) -> tuple[Path, ...]:
    table = numbers(tested(read_membership(Path(membership))))
    return render.write(out, Table(table, columns(table), lines(table), text(table)))


def tested(rows: pd.DataFrame) -> list[Tested]:
    """The target models: tasks in the catalogue's order, honest ones first, then by outputs and beta_R."""
    found = [group for _, group in rows.groupby(["task", "role", "outputs", "beta_r"], sort=True)]
    honest = rows.loc[rows["role"] == "honest"]
    models = [Tested(group.sort_values("seed"), honest.loc[honest["task"] == group["task"].iloc[0]]) for group in found]
    return sorted(models, key=lambda one: frames.order(one.first["task"]))


def numbers(found: Sequence[Tested]) -> pd.DataFrame:
    """A row for each task, role, kind of outputs that a vicious model was trained for, and beta_R.

    Shares in percent, but for AUC and advantage. ``auc_low`` and ``auc_high`` are the ends of the mean's 95% interval
    over models, by Student's t; ``auc_images`` is half the width of one model's interval over images, mean over models;
    ``advantage_chance`` what the advantage is on average where the loss tells nothing. ``difference``: AUC minus that
    of the honest models of the same seeds, ``_n`` of them, with interval and two-sided p alike; ``_holm``: p adjusted
    for all rows.
    """
    table = render.numbers(map(_row, found), _COLUMNS)
    table = table.astype({"members": "Int64", "non_members": "Int64"})
    table["difference_holm"] = holm(table["difference_p"].to_numpy(dtype=float))
    return table


def columns(table: pd.DataFrame) -> list[Column]:
    rates = [
        Column(name, f"TPR at {PERCENT * fpr:g}% FPR (%)", rf"\shortstack{{TPR (\%) at\\{PERCENT * fpr:g}\% FPR}}", 2)
        for name, fpr in zip(TPR_COLUMNS, FPRS, strict=True)
        if table[f"{name}_mean"].notna().any()
    ]
    return [
        Column("title", "Dataset", text=True),
        *render.outputs_column(table.loc[table["outputs"] != "", "outputs"]),
        Column("model", "Model", text=True),
        Column("auc", "AUC", text=True),
        Column("difference", "AUC minus honest"),
        Column("advantage", "Advantage"),
        *rates,
        Column("accuracy_members", "Accuracy, members (%)", r"\shortstack{Accuracy (\%),\\members}", 2),
        Column("accuracy_non_members", "Accuracy, non-members (%)", r"\shortstack{Accuracy (\%),\\non-members}", 2),
        Column("seeds", "n", "$n$", text=True),
    ]


def lines(table: pd.DataFrame) -> list[Line]:
    printed = render.once(map(_line, table.to_dict("records")), ("title",), ("outputs",))
    guess: Line = {"title": "any", "outputs": "", "model": "a guess", "auc": f"{CHANCE_AUC:g}", "difference": None}
    guess |= {"advantage": 0.0, **{name: PERCENT * fpr for name, fpr in zip(TPR_COLUMNS, FPRS, strict=True)}}
    return [*printed, guess | {"seeds": ""}]


def text(table: pd.DataFrame) -> Text:
    shown = table.loc[table["auc_n"] > 0]
    counts = sorted(set(shown["auc_n"].astype(int)))
    over = f"Means over n = {span(counts)} {'model' if counts == [1] else 'models'}" if counts else "No model succeeded"
    few = bool((table["difference_n"] < FEWEST_SEEDS).any())
    return Text(
        "Does a threshold on the model's loss tell training images (members) from test images (non-members)? AUC with "
        f"its 95% interval over models, largest advantage, and members found at low false positive rates. {over}. "
        "Accuracy and rates in %; AUC and advantage have no unit.",
        (
            "AUC: chance that a member's loss is smaller than a non-member's, ties half. Advantage: largest true minus "
            "false positive rate over all thresholds. TPR at 1% FPR: share of members found by the largest "
            "threshold that fewer than 1% of non-members lie below. An en dash: none, or too few non-members for it.",
            "AUC minus honest: mean difference to honest models of the same seeds, with its 95% interval. A seed that "
            "one of the two lacks counts as failed. *: p < 0.05, two-sided, by Holm over all differences of this "
            "table. Intervals and p are Student's t over models, none with one."
            + (f" No difference over fewer than {FEWEST_SEEDS} models has a star." if few else ""),
            _by_chance(shown),
            "Loss: cross-entropy of the label; of attributes the mean binary cross-entropy. So the attacker knows the "
            "label. A stronger attack may find more members: this is a lower bound.",
            ABOUT_SEEDS,
            _conditions(table, shown),
        ),
        render.reasons(table),
    )


def _by_chance(shown: pd.DataFrame) -> str:
    """How much the images at hand matter; "" where no model succeeded."""
    by_task = [(str(task), rows) for task, rows in shown.groupby("task", sort=False)]
    width = ((task, f"± {rows['auc_images'].mean():.3f}") for task, rows in by_task)
    chance = ((task, f"{rows['advantage_chance'].mean():.3f}") for task, rows in by_task)
    sentences = (
        frames.listed("95% interval of one model's AUC over images", width),
        frames.listed("Mean advantage where the loss tells nothing, since the threshold is the best one", chance),
    )
    return " ".join(filter(None, sentences))


def _conditions(table: pd.DataFrame, shown: pd.DataFrame) -> str:
    """Sentences: data source, images tested, seeds and beta_R."""
    rows = table.drop_duplicates("task").to_dict("records")
    tested = shown.drop_duplicates("task").to_dict("records")
    images = ((row["task"], f"{row['members']:,} members, {row['non_members']:,} non-members") for row in tested)
    betas = sorted(set(table.loc[table["role"] == "vicious", "beta_r"]))
    weights = ", ".join(f"{beta:g}" for beta in betas)
    several = frames.attribute_datasets(dict.fromkeys(table["dataset"]))
    sentences = (
        frames.listed("Data", ((row["task"], frames.source_words(row["source"])) for row in rows)),
        frames.listed("Images", images),
        f"Accuracy on {', '.join(several)}: mean over attributes." if several else "",
        frames.listed("Seeds per model", ((row["task"], f"{row['seeds']}") for row in rows)),
        f"Weight of the reconstruction loss in vicious training: beta_R = {weights}." if betas else "",
    )
    return " ".join(filter(None, sentences))


def _row(one: Tested) -> dict[str, Any]:
    first, ok, differences = one.first, one.ok, one.differences()
    compared = first["role"] != "honest" and len(one.honest) > 0
    _, low, high, _ = _over_models(ok["auc"].to_numpy(dtype=float))
    difference = dict(zip(("mean", "low", "high", "p"), _over_models(differences), strict=True)) if compared else {}
    images = [int(ok[name].max()) if len(ok) else None for name in ("members", "non_members")]
    return {
        **{name: first[name] for name in ("dataset", "task", "source", "outputs", "role", "beta_r")},
        **{"title": frames.title(first["task"]), "members": images[0], "non_members": images[1]},
        **{"seeds": len(one.rows), "auc_low": low, "auc_high": high},
        **{"auc_images": float((ok["auc_high"] - ok["auc_low"]).mean() / 2)},
        **{"advantage_chance": float(ok["advantage_chance"].mean())},
        **render.spread_columns(one.cells()),
        **{f"difference_{end}": value for end, value in difference.items()},
        **{"difference_n": len(differences) if compared else None, "failures": "; ".join(one.failures())},
    }


def _over_models(values: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Mean over models, its 95% interval and the p of a mean of 0; what there is none of is NaN."""
    if not len(values):
        return nan, nan, nan, nan
    ((mean, low, high, p),) = paired_means([np.array([[value]]) for value in values])
    return (mean, low, high, p) if len(values) > 1 else (mean, nan, nan, nan)


def _line(row: Mapping[Any, Any]) -> Line:
    cells = {name: None if pd.isna(row[f"{name}_n"]) else render.cell_of(row, name) for name in _MEASURES}
    auc, honest = render.cell_of(row, "auc"), row["role"] == "honest"
    interval = "" if isnan(row["auc_low"]) else f" [{row['auc_low']:.3f}, {row['auc_high']:.3f}]"
    return {
        **cells,
        "title": frames.marked_title(row["task"], row["source"]),
        "outputs": None if honest else row["outputs"],
        "model": "honest" if honest else f"vicious, beta_R = {row['beta_r']:g}",
        "auc": f"{auc.mean:.3f}{interval}" if auc.ok else auc,
        "difference": _difference(row),
        "seeds": f"{auc.ok} of {auc.total}" if auc.failed else f"{auc.total}",
    }


def _difference(row: Mapping[Any, Any]) -> Difference | str | None:
    """The printed difference; None where there is nothing to compare with."""
    n = row["difference_n"]
    if pd.isna(n):
        return None
    if not n:
        return "failed"
    mean, low, high, p = (float(row[f"difference_{end}"]) for end in ("mean", "low", "high", "holm"))
    return Difference(mean, low, high, p, int(n), int(row["seeds"]))


def _label(row: Mapping[Any, Any]) -> str:
    words = f" ({row['outputs']}, beta_R = {row['beta_r']:g})" if row["role"] == "vicious" else ""
    return f"{frames.title(row['task'])}, {row['role']}{words}"
