"""How well each detector separates vicious from honest models, and what a verdict costs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.defense.evaluation.groups import VICIOUS, of_weight
from vicious.report import frames, judged, render
from vicious.report.render import Column, Line, Table
from vicious.report.text import Text
from vicious.results.schema import SEPARATION, SUMMARY, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError
from vicious.system.files import read_json

EXPERIMENT = "defense"
_WEIGHT = of_weight(0).removesuffix("0")
"""What servers of one weight of the reconstruction loss begin with."""
_COLUMNS = ("dataset", "title", "source", "detector", "server", "n_user", *SEPARATION.columns[4:], "seconds")
_AGAIN = "run the step that writes it again"


def write(summary: Path, separation: Path, verdicts: Iterable[Path], out: Destination) -> tuple[Path, ...]:
    """``verdicts`` is their provenance, which holds their times."""
    rows = read_table(SUMMARY, Path(summary))
    table = numbers(rows, read_separation(Path(separation)), read_seconds(verdicts))
    return render.write(out, Table(table, columns(table), lines(table), text(table, rows)))


def read_separation(path: Path) -> pd.DataFrame:
    """Read and check a detection_summary.csv, servers that know of detectors left out; raises as :func:`write`."""
    frame = read_table(SEPARATION, path)
    plain = (frame["server"] == VICIOUS) | frame["server"].str.startswith(_WEIGHT)
    return frame.loc[plain].reset_index(drop=True)


def read_seconds(files: Iterable[Path]) -> pd.DataFrame:
    """Mean seconds of a verdict over models, by ``dataset``, ``detector`` and ``n_user``; raises as :func:`write`."""
    found: list[dict[str, Any]] = []
    for file in map(Path, files):
        try:
            record = read_json(file)
            dataset = Path(record["settings"]["data"]).name
            found += [
                {"dataset": dataset, "detector": detector, "n_user": float(n), "seconds": float(seconds)}
                for detector, of_number in (record.get("measured") or {}).items()
                for n, seconds in of_number.items()
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"cannot read the times of verdicts in {file} ({error!r}): {_AGAIN}") from error
    key = ["dataset", "detector", "n_user"]
    frame = pd.DataFrame(found, columns=[*key, "seconds"])
    return frame.groupby(key, sort=False)["seconds"].mean().reset_index()


def numbers(summary: pd.DataFrame, separation: pd.DataFrame, seconds: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset, detector, number of user images and ``server``: all vicious models, and those of each
    weight where they have several.

    ``auroc`` (0.5 is chance) has its 95% interval over models; ``tpr_at_5fpr`` is the share of verdicts on vicious
    models above the lowest threshold that flags at most 5% of those on honest ones; ``failed`` counts models of which a
    verdict has no score; ``seconds`` is the mean time of a verdict, empty where none was taken.
    """
    table = separation.merge(seconds, how="left", on=["dataset", "detector", "n_user"])
    return judged.with_titles(table, summary)[list(_COLUMNS)]


def columns(table: pd.DataFrame) -> list[Column]:
    sizes = _sizes(table)
    return [
        Column("title", "Dataset", text=True),
        Column("detector", "Detector", text=True),
        *(
            column
            for n in sizes
            for column in (
                Column(f"auroc{n}", f"AUROC, n = {n}", text=True),
                Column(f"tpr{n}", f"TPR at 5% FPR, n = {n}", rf"\shortstack{{TPR at 5\%\\FPR, $n = {n}$}}", decimals=2),
            )
        ),
        *([Column("weights", f"AUROC by beta_R, n = {sizes[-1]}", text=True)] if table["server"].nunique() > 1 else []),
        Column("models", "Models, honest + vicious", r"\shortstack{Models,\\honest + vicious}", text=True),
        Column("seconds", f"Seconds, n = {sizes[-1]}" if sizes else "Seconds", decimals=2),
    ]


def lines(table: pd.DataFrame) -> list[Line]:
    detectors = table.groupby(["dataset", "detector"], sort=False)
    return render.once((_line(rows, _sizes(table)) for _, rows in detectors), ("title",))


def text(table: pd.DataFrame, summary: pd.DataFrame) -> Text:
    counts = table[["honest_models", "vicious_models"]].to_numpy(dtype=float)
    few = counts.min() < 10
    order = (
        f" With as few as {counts.min():g} models of a kind, read an AUROC as an order, not as a rate." if few else ""
    )
    weights = (
        "AUROC by beta_R: of the vicious models of each weight alone; all else is over all of them."
        if table["server"].nunique() > 1
        else ""
    )
    return Text(
        "How well each detector separates vicious from honest models, by n of the user's own labelled images: AUROC "
        f"and TPR at 5% FPR, shares of verdicts. Models, honest + vicious: at least {counts[:, 0].min():g} + "
        f"{counts[:, 1].min():g}. Seconds: mean time of one verdict.",
        (
            "AUROC: chance that a verdict on a vicious model lies above one on an honest model, ties half; 0.5 is "
            "guessing, below 0.5 honest models score higher. A verdict is the score of one sample of user "
            f"images. In brackets: the 95% interval over models, where there are at least two of each kind.{order}",
            "TPR: share of verdicts on vicious models above the lowest threshold that flags at most 5% of those on "
            "honest ones.",
            "combined: log-odds of a logistic regression over the detectors that judged all datasets, fitted on "
            "other datasets only.",
            weights,
            judged.SAMPLES,
            judged.conditions(summary),
        ),
        judged.failures(summary),
    )


def _sizes(table: pd.DataFrame) -> list[int]:
    return sorted({int(n) for n in table["n_user"]})


def _line(mine: pd.DataFrame, sizes: Sequence[int]) -> Line:
    rows = {int(row["n_user"]): row for row in mine.loc[mine["server"] == VICIOUS].to_dict("records")}
    first = next(iter(rows.values()))
    line: Line = {
        "title": frames.marked_title(first["dataset"], first["source"]),
        "detector": judged.words(first["detector"]),
        "weights": _by_weight(mine.loc[mine["n_user"] == sizes[-1]]),
        "models": f"{first['honest_models']:g} + {first['vicious_models']:g}",
        "seconds": rows.get(sizes[-1], {}).get("seconds"),
    }
    for n in sizes:
        line[f"auroc{n}"] = judged.auroc(rows.get(n), interval=True)
        line[f"tpr{n}"] = rows.get(n, {}).get("tpr_at_5fpr")
    return line


def _by_weight(rows: pd.DataFrame) -> str:
    """The AUROC for each weight: ``0.3: 0.88; 1: 1.00``."""
    found = zip(rows["server"].str.removeprefix(_WEIGHT), rows["auroc"], strict=True)
    return "; ".join(
        f"{weight}: {auroc:.2f}" if np.isfinite(auroc) else f"{weight}: failed"
        for weight, auroc in found
        if weight != VICIOUS
    )
