"""What other attack models reconstruct from the same target models, beside the original's decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.models.architecture import ORIGINAL
from vicious.report import frames, render
from vicious.report.frames import Group, OverSeeds
from vicious.report.render import Column, Table, Value
from vicious.report.text import ABOUT_RISK, ABOUT_RISK95, ABOUT_SEEDS, UNITS, Text, counts
from vicious.results.schema import ATTACK_OF, MEASURES, SUMMARY, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "attack_models"
_POSTHOC = ATTACK_OF["honest"]
_SCALES = {"accuracy": 100.0}


@dataclass(frozen=True)
class Attacked:
    """All seeds of one attack model on one target model.

    Attributes:
        name: of the attack model's file.
        group: the attack.
        original: the attack by the original's decoder on the same target models; empty where it was not run.
        source: of the data.
    """

    name: str
    group: Group
    original: Group
    source: str

    @property
    def is_original(self) -> bool:
        """Whether it is the original's decoder."""
        return self.name == ORIGINAL["attack"]

    def cells(self) -> dict[str, OverSeeds | None]:
        """Its measures, and ``gain``, the PSNR in dB minus the original's; None for the original's itself."""
        measures = {name: self.group.over_seeds(name, _SCALES.get(name, 1.0)) for name in MEASURES}
        compared = not self.is_original and self.original.planned
        return {**measures, "gain": self.group.difference(self.original, "psnr") if compared else None}

    def failures(self) -> list[str]:
        """A line for each reason why seeds have no result."""
        return [f"{self.name} on {line}" for line in self.group.failures()]


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    """Write the table from the experiment's summary."""
    rows = read_table(SUMMARY, Path(summary))
    found = attacked(rows)
    return render.write(out, Table(numbers(found), columns(found), lines(found), text(rows, found)))


def attacked(summary: pd.DataFrame) -> list[Attacked]:
    """The post-hoc attacks of a checked summary: by task in the catalogue's order, outputs, target model and attack
    model.

    The original's decoder comes first, the others by name.

    Raises:
        DataError: there is no post-hoc attack.
        MixedResultsError: one seed of an attack appears twice.
    """
    names = sorted(name for name in set(summary["attack"]) if name == _POSTHOC or name.startswith(f"{_POSTHOC}-"))
    if not names:
        raise DataError(
            f"the summary holds no attack {_POSTHOC}: run the steps that assess them, then the summary again"
        )
    source = frames.sources(summary)
    by_name = {name: frames.groups(summary, {"honest": name, "vicious": name}) for name in names}
    originals = {_target(group): group for group in by_name.get(_POSTHOC, [])}
    found = []
    for name, groups in by_name.items():
        model = name.removeprefix(f"{_POSTHOC}-") if name != _POSTHOC else ORIGINAL["attack"]
        for group in groups:
            none = Group(group.task, group.dataset, group.role, group.outputs, group.beta_r, group.rows.iloc[:0])
            found.append(Attacked(model, group, originals.get(_target(group), none), source[group.task]))
    return sorted(found, key=lambda one: (frames.order(one.group.task), *_target(one.group)[1:]))


def numbers(found: Sequence[Attacked]) -> pd.DataFrame:
    """The numbers, a row for each task, kind of outputs, target model and attack model.

    Accuracies are percentages, PSNR is in dB. Each measure has columns ``_mean``, ``_sd`` (ddof 1, over seeds) and
    ``_n`` (seeds that succeeded). ``gain``: PSNR minus that of the original's decoder on the same models, over the
    seeds that both have; empty for the original's. ``seeds`` counts the seeds planned, ``failures`` names each without
    a result.
    """
    rows: list[dict[str, Any]] = []
    for one in found:
        group = one.group
        row: dict[str, Any] = {
            **{"dataset": group.dataset, "task": group.task, "title": frames.title(group.task), "source": one.source},
            **{"outputs": group.outputs, "role": group.role, "beta_r": group.beta_r, "attack_model": one.name},
            **{"n_images": group.images, "seeds": group.planned},
        }
        rows.append(row | render.spread_columns(one.cells()) | {"failures": "; ".join(one.failures())})
    frame = pd.DataFrame(rows)
    whole = [str(name) for name in frame if str(name).endswith("_n") or name == "n_images"]
    return frame.astype(dict.fromkeys(whole, "Int64") | dict.fromkeys(("gain_mean", "gain_sd"), "float64"))


def columns(found: Sequence[Attacked]) -> list[Column]:
    """The columns to print; outputs are named where there are several kinds."""
    several = len({one.group.outputs for one in found}) > 1
    original = ORIGINAL["attack"]
    return [
        Column("title", "Dataset", text=True),
        *([Column("outputs", "Outputs", text=True)] if several else []),
        Column("target", "Target model", text=True),
        Column("attack", "Attack model", text=True),
        Column("accuracy", "Accuracy (%)", decimals=2),
        Column("psnr", "PSNR (dB)", decimals=2),
        Column("ssim", "SSIM"),
        Column("risk", "R", "$R$"),
        Column("risk95", "R95"),
        Column("gain", f"PSNR minus {original} (dB)", rf"\shortstack{{PSNR minus\\{original} (dB)}}", decimals=2),
        Column("seeds", "n", "$n$", text=True),
    ]


def lines(found: Sequence[Attacked]) -> list[dict[str, Value]]:
    """The lines to print, by the keys of :func:`columns`."""
    printed: list[dict[str, Value]] = []
    before: tuple[Any, ...] = ("", "", "", 0.0)
    for one in found:
        group, psnr = one.group, one.group.over_seeds("psnr")
        line: dict[str, Value] = {
            "title": "" if before[:1] == _target(one.group)[:1] else frames.marked_title(group.task, one.source),
            "outputs": "" if before[:2] == _target(one.group)[:2] else group.outputs,
            "target": "" if before == _target(one.group) else _title(group),
            "attack": one.name.replace("_", " "),
        }
        printed.append(line | one.cells() | {"seeds": f"{psnr.ok} of {psnr.total}" if psnr.failed else f"{psnr.total}"})
        before = _target(one.group)
    return printed


def text(summary: pd.DataFrame, found: Sequence[Attacked]) -> Text:
    """Caption and notes."""
    groups = [one.group for one in found]
    original = ORIGINAL["attack"]
    return Text(
        "Attack models trained afterwards on the same outputs of the same target models: the original's decoder "
        f"({original}) and "
        f"others. {counts(groups)} {UNITS}",
        (
            "Vicious models were trained together with the original's decoder. Here a new attack model is trained on "
            "their finished "
            "outputs. Accuracy is that of the target model, whatever attacks it.",
            f"PSNR minus {original}: mean difference to {original} on the same models, over the seeds that both have. "
            "A seed that either "
            "lacks counts as failed. An en dash: nothing to compare with.",
            f"R is {frames.risk_words(summary)}. {ABOUT_RISK95} {ABOUT_RISK}",
            ABOUT_SEEDS,
            frames.conditions(summary, accuracy=True, risk=True, found=groups),
        ),
        [line for one in found for line in one.failures()],
    )


def _target(group: Group) -> tuple[str, str, str, float]:
    """What the target models have in common, in the order of lines."""
    return group.task, group.outputs, group.role, group.beta_r


def _title(group: Group) -> str:
    return f"vicious, beta_R = {group.beta_r:g}" if group.role == "vicious" else group.role
