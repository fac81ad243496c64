"""What a user can do to the outputs, what it costs in accuracy, and what an attack still reads."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vicious.report import frames, mitigations, render
from vicious.report.frames import Group
from vicious.report.mitigations import Treated
from vicious.report.render import Column, Line, Table
from vicious.report.text import UNITS_IDENTIFIED, Text, about, counts, identified
from vicious.results.schema import SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "mitigations"
_MEASURES = ("accuracy", "calibration_error", "psnr", "ssim", "risk", "risk95", "top1")
"""In the order of the table's columns."""
_COLUMNS = (
    *("dataset", "title", "source", "outputs", "role", "server", "beta_r", "n_images", "seeds"),
    *render.spread_names((*_MEASURES, "beyond_label")),
    "failures",
)


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    rows = read_table(SUMMARY, Path(summary))
    found = mitigations.treated(rows)
    return render.write(out, Table(numbers(found), PRINTED, lines(found), text(rows, found)))


def numbers(found: Sequence[Treated]) -> pd.DataFrame:
    """A row for each task, kind of outputs and server (:data:`mitigations.SERVERS`) that was run.

    ``beyond_label``: PSNR minus that of the attack on labels alone, over the seeds that both have; empty for these, or
    where there are none.
    """
    rows = [
        group.facts()
        | {"source": group.rows["source"].iloc[0], "server": server}
        | render.spread_columns({**group.measured(_MEASURES), "beyond_label": mitigations.beyond(found, one, group)})
        for one, server, group in _groups(found)
        if group.planned
    ]
    return render.numbers(rows, _COLUMNS)


PRINTED = (
    Column("title", "Dataset", text=True),
    Column("outputs", "Outputs", text=True),
    Column("model", "Model", text=True),
    Column("accuracy", "Accuracy (%)", r"Acc. (\%)", 1),
    Column("calibration_error", "Calibration error (%)", r"Cal. (\%)", 1),
    Column("psnr", "PSNR (dB)", decimals=2),
    Column("ssim", "SSIM", decimals=3),
    Column("risk", "R", "$R$", 2),
    Column("risk95", "R95", "$R_{95}$", 2),
    Column("top1", "Identified (%)", r"\shortstack{Identified\\(\%)}", 2),
    Column("beyond", "PSNR beyond the label (dB)", r"\shortstack{Beyond\\label (dB)}", decimals=2),
)


def lines(found: Sequence[Treated]) -> list[Line]:
    printed: list[Line] = []
    for one, server, group in _groups(found):
        source = next(str(other.rows["source"].iloc[0]) for other in one.groups.values() if other.planned)
        line: Line = {
            "title": frames.marked_title(one.task, source),
            "outputs": mitigations.title(one.outputs),
            "model": mitigations.NAMES.get(server, server),
            "beyond": mitigations.beyond(found, one, group),
        }
        printed.append({**line, **group.measured(_MEASURES)})
    return render.once(printed, ("title",), ("outputs",))


def text(summary: pd.DataFrame, found: Sequence[Treated]) -> Text:
    groups = mitigations.groups(found)
    return Text(
        "What a user can do to the outputs: accuracy of the answers sent, and what is reconstructed by "
        f"{mitigations.attack_words(summary)}. {counts(groups)} {UNITS_IDENTIFIED}",
        (
            frames.about_best(summary),
            mitigations.servers(found),
            mitigations.meanings(found),
            "Accuracy: a tie counts as chance. Calibration error (Cal.): the expected one, in %, of the probabilities "
            "sent; of logits, that of their softmax. An en dash: none.",
            "Beyond the label: PSNR minus that of the attack on labels alone, of the same seeds; for the server "
            "trained for the mitigation, on the labels of the server trained for logits.",
            identified((group.task, group.images) for group in groups),
            *about(summary, groups),
        ),
        frames.failures(groups),
    )


def _groups(found: Sequence[Treated]) -> list[tuple[Treated, str, Group]]:
    return [(one, server, group) for one in found for server, group in one.groups.items()]
