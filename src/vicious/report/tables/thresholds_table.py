"""What thresholds from honest models alone flag, on the same dataset and on others."""

from pathlib import Path

import pandas as pd

from vicious.defense.evaluation.groups import VICIOUS
from vicious.defense.evaluation.thresholds import HELD_OUT, SPREADS
from vicious.report import frames, judged, render
from vicious.report.frames import PERCENT
from vicious.report.render import Column, Line, Table
from vicious.report.text import Text, span
from vicious.results.schema import FLAGGED, SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "defense"
_COLUMNS = ("dataset", "title", "source", *FLAGGED.columns[1:])


def write(summary: Path, flagged: Path, out: Destination) -> tuple[Path, ...]:
    rows = read_table(SUMMARY, Path(summary))
    frame = read_table(FLAGGED, Path(flagged))
    table = numbers(rows, frame)
    return render.write(out, Table(table, PRINTED, lines(table), text(table, rows)))


def numbers(summary: pd.DataFrame, flagged: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`vicious.defense.evaluation.thresholds.flagged`, ``share`` and ``outside`` in percent, with
    title and data source, in the catalogue's order."""
    table = flagged.assign(share=PERCENT * flagged["share"], outside=PERCENT * flagged["outside"])
    return judged.with_titles(table, summary, ("dataset", "reference"))[list(_COLUMNS)]


_REST = r",\\threshold\\from other\\datasets (\%)}"
PRINTED = (
    Column("title", "Dataset", text=True),
    Column("detector", "Detector", text=True),
    Column("n", "n"),
    Column("held", "Honest, held out (%)", r"\shortstack{Honest,\\held out (\%)}", decimals=1),
    Column("recipes", "Honest, other recipes (%)", r"\shortstack{Honest, other\\recipes (\%)}", decimals=1),
    Column("vicious", "Vicious (%)", r"\shortstack{Vicious\\(\%)}", decimals=1),
    Column("held_other", "Honest, threshold from other datasets (%)", r"\shortstack{Honest" + _REST, decimals=1),
    Column("vicious_other", "Vicious, threshold from other datasets (%)", r"\shortstack{Vicious" + _REST, decimals=1),
    Column("references", "Honest references", r"\shortstack{Refer-\\ences}"),
)


def lines(table: pd.DataFrame) -> list[Line]:
    judged_alike = table.groupby(["dataset", "detector", "n_user"], sort=False)
    return render.once((_line(rows) for _, rows in judged_alike), ("title",))


def text(table: pd.DataFrame, summary: pd.DataFrame) -> Text:
    honest = {group for group in table["group"] if group.startswith("honest")} - {HELD_OUT}
    recipes = sorted(group.removeprefix("honest, ") for group in honest)
    others = f" Other recipes: {', '.join(recipes)}; mean over them." if recipes else ""
    references = sorted(int(count) for count in set(table["references"].dropna()))
    behind = f" from {span(references)} honest models" if references else " from honest models"
    return Text(
        f"Verdicts flagged by a threshold{behind} alone, without any vicious example: share in %. A verdict is the "
        f"score of one sample of n of the user's own images. The threshold lies {SPREADS:g} standard deviations above "
        "the mean of verdicts on honest models.",
        (
            "Threshold and verdicts are from different samples of images. Honest, held out: each model by the "
            "threshold from the others.",
            f"Honest, other recipes: models of the same data trained otherwise; flagged, a false alarm.{others}",
            "Threshold from other datasets: from the honest models of each, mean over these. References: number of "
            "honest models from which the threshold is computed. An en dash: no such model, or too few references.",
            judged.SAMPLES,
            judged.conditions(summary),
        ),
        [*judged.failures(summary), *failures(table)],
    )


def failures(table: pd.DataFrame) -> list[str]:
    own = table.loc[(table["reference"] == table["dataset"]) & (table["failed"] > 0)]
    counts = own.groupby(["dataset", "group"], sort=False)[["failed", "verdicts"]].sum()
    return [
        f"{frames.title(str(dataset))}, {group}: {row.failed:g} of {row.verdicts:g} verdicts have no score"
        for (dataset, group), row in zip(counts.index, counts.itertuples(), strict=True)
    ]


def _line(rows: pd.DataFrame) -> Line:
    first, own = rows.iloc[0], rows["reference"] == rows["dataset"]
    held, vicious = rows["group"] == HELD_OUT, rows["group"] == VICIOUS
    recipes = rows["group"].str.startswith("honest") & ~held
    shares = {
        **{"held": own & held, "recipes": own & recipes, "vicious": own & vicious},
        **{"held_other": ~own & held, "vicious_other": ~own & vicious},
    }
    references = rows.loc[own, "references"]
    return {
        "title": frames.marked_title(first["dataset"], first["source"]),
        "detector": judged.words(first["detector"]),
        "n": int(first["n_user"]),
        **{name: float(rows.loc[chosen, "share"].mean()) for name, chosen in shares.items()},
        "references": int(references.iloc[0]) if len(references) else None,
    }
