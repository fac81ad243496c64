"""What servers that know of detectors keep of accuracy and reconstruction, and whether they are still flagged."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.defense.evaluation.groups import HONEST, VICIOUS
from vicious.defense.evaluation.separation import separation
from vicious.defense.evaluation.thresholds import HELD_OUT, SPREADS, flagged
from vicious.models.evaded import against
from vicious.report import adaptive, frames, render
from vicious.report.adaptive import Block, Server
from vicious.report.frames import PERCENT
from vicious.report.judged import SAMPLES, auroc, words
from vicious.report.render import Column, Line, Table
from vicious.report.text import ABOUT_SEEDS, Text, counts, identified
from vicious.results.schema import DETECTION, SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "defense"
DETECTORS = (
    *("linear_decodability", "gap_decodability", "kernel_decodability", "own_decoder"),
    *("distance_correlation", "within_class_scatter", "effective_rank"),
)
"""Those printed, where they are there; the CSV holds all."""
_MEASURES = ("accuracy", "psnr", "gain", "risk95", "top1")
_SHARES = {"flagged": "share", "outside": "outside"}
_SEPARATED = ("honest_models", "vicious_models", "failed", "auroc", "auroc_low", "auroc_high", "tpr_at_5fpr")
_COLUMNS = (
    *("dataset", "title", "source", "outputs", "server", "beta_r", "models", "seeds"),
    *render.spread_names(_MEASURES),
    *("detector", "n_user", *_SEPARATED, "flagged", "outside", "flagged_models", "references"),
)


def write(summary: Path, detection: Path, out: Destination) -> tuple[Path, ...]:
    """Separation and thresholds are taken anew, over the vicious models of the adaptive servers' weight alone: those of
    another are flagged more or less easily."""
    rows, scores = read_table(SUMMARY, Path(summary)), read_table(DETECTION, Path(detection))
    found = adaptive.blocks(rows, scores)
    table = numbers(found)
    return render.write(out, Table(table, columns(table), lines(table), text(table, rows, found)))


def numbers(found: Sequence[Block]) -> pd.DataFrame:
    """A row for each dataset, kind of outputs, server, detector and number of user images.

    Measures of an attack are the same in all rows of a server; ``gain`` is the difference of PSNR from the honest
    models of the same seeds. ``models`` counts the models judged. ``flagged`` is the percentage of
    verdicts above a threshold from the honest models of the dataset
    (:func:`vicious.defense.evaluation.thresholds.flagged`), for honest models each by the threshold from the others;
    ``outside`` of those above it or as far below the honest ones. A server that was not judged has one row without a
    detector.
    """
    return render.numbers((row for block in found for row in _rows(block)), _COLUMNS)


def columns(table: pd.DataFrame) -> list[Column]:
    """The columns to print: an AUROC for each of :data:`DETECTORS` that is there; outputs where there are several
    kinds."""
    return [
        Column("title", "Dataset", text=True),
        *render.outputs_column(table["outputs"]),
        Column("server", "Server", text=True),
        Column("models", "Models"),
        Column("accuracy", "Accuracy (%)", r"\shortstack{Accuracy\\(\%)}", decimals=1),
        Column("psnr", "PSNR (dB)", r"\shortstack{PSNR\\(dB)}", decimals=2),
        Column("gain", "PSNR gain (dB)", r"\shortstack{gain\\(dB)}", decimals=2),
        Column("risk95", "R95", decimals=2),
        Column("top1", "Identified (%)", r"\shortstack{Identified\\(\%)}", decimals=2),
        *(
            Column(name, f"AUROC, {words(name)}", r"\shortstack{" + words(name).replace(" ", r"\\") + "}", text=True)
            for name in _printed(table)
        ),
        Column("flagged", "Flagged (%)", text=True),
        Column("outside", "Outside (%)", text=True),
    ]


def lines(table: pd.DataFrame) -> list[Line]:
    servers = table.groupby(["dataset", "outputs", "server"], sort=False)
    printed = (_line(rows, table["n_user"].max(), _printed(table)) for _, rows in servers)
    return render.once(printed, ("title", "outputs"))


def text(table: pd.DataFrame, summary: pd.DataFrame, found: Sequence[Block]) -> Text:
    attacks = [server.attack for block in found for server in block.servers]
    honest = f"{frames.attack_words(summary)['honest']} on honest models"
    evaded = [against(name) for name in adaptive.evaded(found)]
    hidden = ", ".join(sorted({server.hidden for block in found for server in block.servers} - {""}))
    return Text(
        "Vicious servers that know of detectors, beside an honest server and a vicious one that does not know "
        f"of detectors. {counts(attacks)} Accuracy, identified, flagged and outside in %, PSNR and gain in dB. AUROC "
        f"over verdicts at n = {table['n_user'].max():,.0f} user images.",
        (
            f"PSNR, R95 and identified: the {honest}, and the best attack on vicious ones. Gain: PSNR minus "
            f"that of the {honest} of the same seeds. Larger is worse for privacy.",
            adaptive.about_attacks(summary),
            f"Evasion: an adaptive penalty of that weight against {' or '.join(evaded)}." if evaded else "",
            f"Hidden codes ({hidden}): accuracy, PSNR, R95 and identified of the hidden model, same seeds."
            if hidden
            else "",
            "AUROC over verdicts: 0.5 is guessing. Models: judged. failed: models, honest ones included, without a "
            "score. An en dash: no such detector, too few references, or nothing to compare.",
            f"Flagged: share of verdicts more than {SPREADS:g} standard deviations above the mean of honest ones of "
            "the dataset, by the detector beside it (first word), which flags most; no user knows it beforehand. "
            "Outside: above this threshold, or as far below the mean. Honest: each by the threshold from the others.",
            f"All vicious servers of a dataset have the same beta_R. {ABOUT_SEEDS} {SAMPLES}",
            identified((attack.task, attack.images) for attack in attacks),
            adaptive.conditions(summary, found, accuracy=True),
        ),
        adaptive.failures(found),
    )


def _rows(block: Block) -> Iterator[dict[str, Any]]:
    separated, calls = _by(separation(block.scores), "server"), _by(flagged(block.scores), "group")
    verdicts = list(block.scores[["detector", "n_user"]].drop_duplicates().itertuples(index=False, name=None))
    for server in block.servers:
        facts = _facts(block, server)
        name = HELD_OUT if server.name == HONEST else server.name
        for detector, n in verdicts if server.models else [("", np.nan)]:
            of, share = separated.get((server.name, detector, n), {}), calls.get((name, detector, n), {})
            yield facts | {
                **{"detector": detector, "n_user": n, **{key: of.get(key) for key in _SEPARATED}},
                **{key: PERCENT * share.get(what, np.nan) for key, what in _SHARES.items()},
                **{"flagged_models": share.get("models"), "references": share.get("references")},
            }


def _by(frame: pd.DataFrame, group: str) -> dict[tuple[Any, ...], dict[Any, Any]]:
    return {(row[group], row["detector"], row["n_user"]): row for row in frame.to_dict("records")}


def _facts(block: Block, server: Server) -> dict[str, Any]:
    cells = server.attack.measured(name for name in _MEASURES if name != "gain")
    if server.name != HONEST:
        cells["gain"] = server.attack.difference(block.honest.attack, "psnr")
    facts = {"source": block.source, "server": server.name, "models": server.models}
    return server.attack.facts() | facts | render.spread_columns(cells)


def _line(rows: pd.DataFrame, largest: float, shown: Sequence[str]) -> Line:
    first = rows.iloc[0].to_dict()
    at = {row["detector"]: row for row in rows.loc[rows["n_user"] == largest].to_dict("records")}
    here = [at[name] for name in shown if name in at]
    return {
        "title": frames.marked_title(first["dataset"], first["source"]),
        "outputs": first["outputs"],
        "server": first["server"].removeprefix(f"{VICIOUS}, "),
        "models": int(first["models"]),
        **{name: render.cell_of(first, name) for name in _MEASURES if name != "gain" or first["server"] != HONEST},
        **{name: auroc(at.get(name)) for name in shown},
        "flagged": _flagged(here, "flagged"),
        "outside": _flagged(here, "outside"),
    }


def _printed(table: pd.DataFrame) -> list[str]:
    return [name for name in DETECTORS if name in set(table["detector"])]


def _flagged(rows: Sequence[Mapping[Any, Any]], share: str) -> str | None:
    """The largest share, and whose it is; no detector is named where none flags anything."""
    known = [row for row in rows if not pd.isna(row[share])]
    if not known:
        return None
    best = max(known, key=lambda row: float(row[share]))
    return f"{best[share]:.1f}" + (f" ({words(best['detector']).split()[0]})" if best[share] else "")
