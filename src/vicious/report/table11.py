"""Table 11: what servers that know of detectors keep of accuracy and reconstruction, and whether they are still found."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.defense.collect import separation
from vicious.defense.groups import HONEST, VICIOUS
from vicious.defense.thresholds import HELD_OUT, SPREADS, called
from vicious.report import adaptive, frames, tables
from vicious.report.adaptive import Block, Server
from vicious.report.frames import Cell
from vicious.report.judged import SAMPLES, words
from vicious.report.tables import Column, Value

DETECTORS = (
    *("linear_decodability", "gap_decodability", "own_decoder"),
    *("distance_correlation", "within_class_scatter", "effective_rank"),
)
"""Those printed, where they are there; the CSV holds all."""
_PERCENT = 100.0
_SCALES = {"accuracy": _PERCENT}
_MEASURES = ("accuracy", "psnr", "gain", "risk95")
_SEPARATED = ("honest_models", "vicious_models", "failed", "auroc", "auroc_low", "auroc_high", "tpr_at_5fpr")
_COLUMNS = (
    *("dataset", "title", "source", "outputs", "server", "beta_r", "models", "seeds"),
    *(f"{name}_{end}" for name in _MEASURES for end in ("mean", "sd", "n")),
    *("detector", "n_user", *_SEPARATED, "called", "outside", "called_models", "references"),
)


def write(summary: Path, detection: Path, out: Path) -> tuple[Path, ...]:
    """Write table11.csv, table11.md and table11.tex below ``out``, and return their paths.

    Args:
        summary: the experiment's summary.
        detection: detection.csv, from which separation and thresholds are taken anew: over the vicious models of the adaptive
            servers' weight alone, since those of another are found more or less easily.
        out: folder.

    Raises:
        DataError: an input is missing, damaged, or lacks a column.
        MixedResultsError: an input mixes configurations, or the summary lacks a dataset of the scores.
        StorageError: a file cannot be written.
    """
    rows, scores = frames.read_summary(Path(summary)), adaptive.read_scores(Path(detection))
    found = adaptive.blocks(rows, scores)
    table = table11(found)
    text = caption(table, rows, found)
    return tables.write(11, table, columns(table), lines(table), text, Path(out), adaptive.failures(found))


def table11(found: Sequence[Block]) -> pd.DataFrame:
    """The numbers of table 11, a row for each dataset, kind of outputs, server, detector and number of user images.

    Measures of an attack are the same in all rows of a server: ``_mean``, ``_sd`` (ddof 1) and ``_n`` over its ``seeds``;
    accuracy in percent, ``psnr`` and ``gain``, its difference from the post-hoc attack on the honest models of the same
    seeds, in dB. ``models`` counts the models judged. ``called`` is the percentage of verdicts above a threshold from the
    honest models of the dataset (:func:`vicious.defense.thresholds.called`), for honest models each by the threshold from
    the others; ``outside`` of those above it or as far below the honest ones. A server that was not judged has one row without a detector.
    """
    rows = [row for block in found for row in _rows(block)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def columns(table: pd.DataFrame) -> list[Column]:
    """The columns to print: an AUROC for each of :data:`DETECTORS` that is there; outputs where there are several kinds."""
    several = table["outputs"].nunique() > 1
    return [
        Column("title", "Dataset", text=True),
        *([Column("outputs", "Outputs", text=True)] if several else []),
        Column("server", "Server", text=True),
        Column("models", "Models"),
        Column("accuracy", "Accuracy (%)", r"\shortstack{Accuracy\\(\%)}", decimals=1),
        Column("psnr", "PSNR (dB)", r"\shortstack{PSNR\\(dB)}", decimals=2),
        Column("gain", "PSNR gain (dB)", r"\shortstack{gain\\(dB)}", decimals=2),
        Column("risk95", "R95", decimals=2),
        *(
            Column(name, f"AUROC, {words(name)}", rf"\shortstack{{{_head(name)}}}", text=True)
            for name in _printed(table)
        ),
        Column("called", "Called vicious (%)", r"\shortstack{Called\\vicious (\%)}", text=True),
        Column("odd", "Called odd (%)", r"\shortstack{Called\\odd (\%)}", text=True),
    ]


def lines(table: pd.DataFrame) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :func:`columns`."""
    printed: list[dict[str, Value]] = []
    largest, shown = table["n_user"].max(), _printed(table)
    for (dataset, outputs), block in table.groupby(["dataset", "outputs"], sort=False):
        for index, (server, rows) in enumerate(block.groupby("server", sort=False)):
            first = rows.to_dict("records")[0]
            at = {row["detector"]: row for row in rows.loc[rows["n_user"] == largest].to_dict("records")}
            printed.append(
                {
                    "title": "" if index else frames.marked_title(str(dataset), str(first["source"])),
                    "outputs": "" if index else str(outputs),
                    "server": str(server).removeprefix(f"{VICIOUS}, "),
                    "models": int(first["models"]),
                    **{name: _cell(first, name) for name in _MEASURES if name != "gain" or server != HONEST},
                    **{name: _auroc(at.get(name)) for name in shown},
                    "called": _called([at[name] for name in shown if name in at], "called"),
                    "odd": _called([at[name] for name in shown if name in at], "outside"),
                }
            )
    return printed


def caption(table: pd.DataFrame, summary: pd.DataFrame, found: Sequence[Block]) -> str:
    """The caption, with the settings used and how to read the cells."""
    n = table["n_user"].max()
    evaded = [words(name) for name in adaptive.evaded(found)]
    evading = (
        f" Evasion: trained with a penalty of that weight against {' or '.join(evaded)}, named by its first word."
        if evaded
        else ""
    )
    hidden = sorted({server.hidden for block in found for server in block.servers} - {""})
    hiding = (
        f" {', '.join(hidden).capitalize()}: outputs in another guise, from which accuracy and reconstruction are the same, so "
        "these are of the models hidden, of the same seeds."
        if hidden
        else ""
    )
    return (
        "Vicious servers that know of detectors, beside the honest one and the vicious one that does not, all of one weight beta_R. "
        "PSNR and R95: the post-hoc attack on honest models, on vicious ones the better, by PSNR, of the attack trained together with them and, where there is one, of another trained afterwards, over the seeds that have both; gain: PSNR less "
        "that of the post-hoc attack on honest models of the same seeds; larger is worse for privacy. Mean ± standard deviation over seeds, none for a single seed."
        f"{evading}{hiding} Columns of detectors: AUROC at n = {n:,.0f} of the user's own images, over verdicts, a verdict being the score of one sample; 0.5 is guessing, so an honest "
        "server has none; failed: models, honest ones included, without a score. Called vicious: share of verdicts above a threshold from the honest models of the same dataset alone, "
        f"{SPREADS:g} standard deviations above their mean, by that of the detectors beside it that calls the most, named by its first word, as no user could "
        "know beforehand. Called odd: the same for verdicts above it or as far below the honest mean, which tell of outputs that say less than honest ones do; honest: each model by the threshold from the others. Models: those judged. An en dash: no such detector, too few references, or nothing to "
        f"compare. {SAMPLES} {adaptive.settings(summary, found, accuracy=True)}"
    )


def _rows(block: Block) -> Iterator[dict[str, Any]]:
    scores = block.scores
    separated = _by(separation(scores), "server")
    share = _by(called(scores), "group")
    pairs = scores[["detector", "n_user"]].drop_duplicates()
    verdicts = list(zip(pairs["detector"], pairs["n_user"], strict=True))
    for server in block.servers:
        told = _told(block, server)
        name = HELD_OUT if server.name == HONEST else server.name
        judged = verdicts if server.models else [("", np.nan)]
        for detector, n in judged:
            of, calls = separated.get((server.name, detector, n), {}), share.get((name, detector, n), {})
            yield told | {
                **{"detector": detector, "n_user": n, **{key: of.get(key) for key in _SEPARATED}},
                "called": _PERCENT * calls["share"] if calls else None,
                "outside": _PERCENT * calls["outside"] if calls else None,
                **{"called_models": calls.get("models"), "references": calls.get("references")},
            }


def _by(frame: pd.DataFrame, group: str) -> dict[tuple[Any, ...], dict[Any, Any]]:
    return {(row[group], row["detector"], row["n_user"]): row for row in frame.to_dict("records")}


def _told(block: Block, server: Server) -> dict[str, Any]:
    """What all rows of a server say."""
    attack = server.attack
    cells = {name: attack.cell(name, _SCALES.get(name, 1.0)) for name in _MEASURES if name != "gain"}
    if server.name != HONEST:
        cells["gain"] = _gain(server, block.honest)
    return {
        **{"dataset": block.dataset, "title": frames.title(block.dataset), "source": block.source},
        **{"outputs": block.outputs, "server": server.name, "beta_r": attack.beta_r},
        **{"models": server.models, "seeds": attack.planned},
        **{
            f"{name}_{end}": value
            for name, cell in cells.items()
            for end, value in (("mean", cell.mean), ("sd", cell.sd), ("n", cell.ok))
        },
    }


def _gain(server: Server, honest: Server) -> Cell:
    """PSNR less that of the post-hoc attack on the honest model of the same seed, in dB."""
    mine, theirs = (
        group.rows.loc[group.rows["status"] == "ok"].set_index("seed")["psnr"]
        for group in (server.attack, honest.attack)
    )
    both = mine.index.intersection(theirs.index)
    return frames.cell((mine[both] - theirs[both]).to_numpy(dtype=float), server.attack.planned)


def _printed(table: pd.DataFrame) -> list[str]:
    return [name for name in DETECTORS if name in set(table["detector"])]


def _head(detector: str) -> str:
    """A heading of short lines in LaTeX."""
    return r"\\".join(words(detector).split())


def _cell(row: Mapping[Any, Any], name: str) -> Cell:
    return Cell(float(row[f"{name}_mean"]), float(row[f"{name}_sd"]), int(row[f"{name}_n"]), int(row["seeds"]))


def _auroc(row: Mapping[Any, Any] | None) -> str | None:
    if row is None or pd.isna(row["auroc"]):
        return "failed" if row is not None and row["failed"] > 0 else None
    return f"{row['auroc']:.2f}" + (f" ({row['failed']:g} failed)" if row["failed"] else "")


def _called(rows: Sequence[Mapping[Any, Any]], share: str) -> str | None:
    """The largest share, and whose it is; no detector is named where none calls anything vicious."""
    known = [row for row in rows if not pd.isna(row[share])]
    if not known:
        return None
    best = max(known, key=lambda row: float(row[share]))
    return f"{best[share]:.1f}" + (f" ({words(best['detector']).split()[0]})" if best[share] else "")
