"""What other attack models reconstruct from the same target models, beside the original's decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vicious.models.architecture import ORIGINAL
from vicious.report import frames, render
from vicious.report.frames import Group, OverSeeds
from vicious.report.render import MEASURED, Column, Line, Table
from vicious.report.text import UNITS_IDENTIFIED, Text, about, counts, identified
from vicious.results.schema import ATTACK_OF, MEASURES, SUMMARY, read_table
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError

EXPERIMENT = "attack_models"
_POSTHOC = ATTACK_OF["honest"]
_MODEL = ("outputs", "role", "beta_r", "attack_model", "n_images", "seeds")
_COLUMNS = ("dataset", "task", "title", "source", *_MODEL, *render.spread_names((*MEASURES, "gain")), "failures")


@dataclass(frozen=True)
class Attacked:
    """All seeds of one attack model, by the name of its file, on one target model.

    ``original`` is the attack by the original's decoder on the same target models; empty where it was not run.
    """

    name: str
    group: Group
    original: Group
    source: str

    def cells(self) -> dict[str, OverSeeds | None]:
        """Its measures, and ``gain``, the PSNR in dB minus the original's; None for the original's itself."""
        compared = self.name != ORIGINAL["attack"] and self.original.planned
        gain = self.group.difference(self.original, "psnr") if compared else None
        return {**self.group.measured(MEASURES), "gain": gain}

    def failures(self) -> list[str]:
        return [f"{self.name} on {line}" for line in self.group.failures()]


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    rows = read_table(SUMMARY, Path(summary))
    found = attacked(rows)
    return render.write(out, Table(numbers(found), columns(found), lines(found), text(rows, found)))


def attacked(summary: pd.DataFrame) -> list[Attacked]:
    """The post-hoc attacks of a checked summary: by task in the catalogue's order, outputs, target model and attack
    model.

    The original's decoder comes first, the others by name.
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
            original = originals.get(_target(group)) or group.not_run(group.role, group.beta_r)
            found.append(Attacked(model, group, original, source[group.task]))
    return sorted(found, key=lambda one: (frames.order(one.group.task), *_target(one.group)[1:]))


def numbers(found: Sequence[Attacked]) -> pd.DataFrame:
    """A row for each task, kind of outputs, target model and attack model.

    ``gain``: PSNR minus that of the original's decoder on the same models, over the seeds that both have; empty for the
    original's.
    """
    rows = [
        one.group.facts()
        | {"source": one.source, "attack_model": one.name, "failures": "; ".join(one.failures())}
        | render.spread_columns(one.cells())
        for one in found
    ]
    return render.numbers(rows, _COLUMNS)


def columns(found: Sequence[Attacked]) -> list[Column]:
    original = ORIGINAL["attack"]
    return [
        Column("title", "Dataset", text=True),
        *render.outputs_column(one.group.outputs for one in found),
        Column("target", "Target model", text=True),
        Column("attack", "Attack model", text=True),
        *MEASURED,
        Column("gain", f"PSNR minus {original} (dB)", rf"\shortstack{{PSNR minus\\{original} (dB)}}", decimals=2),
        Column("seeds", "n", "$n$", text=True),
    ]


def lines(found: Sequence[Attacked]) -> list[Line]:
    printed: list[Line] = []
    for one in found:
        group, psnr = one.group, one.group.over_seeds("psnr")
        beta = f", beta_R = {group.beta_r:g}" if group.role == "vicious" else ""
        line: Line = {
            "title": frames.marked_title(group.task, one.source),
            "outputs": group.outputs,
            "target": f"{group.role}{beta}",
            "attack": one.name.replace("_", " "),
            "seeds": f"{psnr.ok} of {psnr.total}" if psnr.failed else f"{psnr.total}",
        }
        printed.append(line | one.cells())
    return render.once(printed, ("title",), ("outputs",), ("target",))


def text(summary: pd.DataFrame, found: Sequence[Attacked]) -> Text:
    groups = [one.group for one in found]
    original = ORIGINAL["attack"]
    return Text(
        "Attack models trained afterwards on the same outputs of the same target models: the original's decoder "
        f"({original}) and others. {counts(groups)} {UNITS_IDENTIFIED}",
        (
            "New attack models, trained on the finished outputs of vicious models too. Accuracy is the target model's.",
            f"PSNR minus {original}: mean over the same models; a seed missing in one counts as failed. En dash: none.",
            identified((group.task, group.images) for group in groups),
            *about(summary, groups),
        ),
        [line for one in found for line in one.failures()],
    )


def _target(group: Group) -> tuple[str, str, str, float]:
    return group.task, group.outputs, group.role, group.beta_r
