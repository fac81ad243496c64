"""What every attack reconstructs from the same target models: the original's two, all others, and the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from vicious.report import attacks, frames, render
from vicious.report.frames import Group, OverSeeds
from vicious.report.render import MEASURED, Column, Line, Table
from vicious.report.text import UNITS_IDENTIFIED, Text, about, counts, identified
from vicious.results.schema import ATTACK_OF, BEST, MEASURES, SUMMARY, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
_POSTHOC, _JOINT = ATTACK_OF["honest"], ATTACK_OF["vicious"]
_TITLES = {_JOINT: "original, joint", _POSTHOC: "original, post-hoc", BEST: "best"}
_MODEL = ("outputs", "role", "beta_r", "attack", "n_images", "seeds")
_COLUMNS = ("dataset", "task", "title", "source", *_MODEL, *render.spread_names((*MEASURES, "gain")), "failures")


@dataclass(frozen=True)
class Attacked:
    """All seeds of one attack on one target model.

    ``original`` is the original's post-hoc attack on the same target models; empty where it was not run.
    """

    group: Group
    original: Group
    source: str

    @property
    def name(self) -> str:
        """The attack for readers: ``original, joint``, ``kernel ridge``, ``best``."""
        attack = self.group.attack
        return _TITLES.get(attack) or attack.removeprefix(f"{_POSTHOC}-").replace("_", " ")

    def cells(self) -> dict[str, OverSeeds | None]:
        """Its measures, and ``gain``, the PSNR in dB minus the original's; None for the original's itself, and where a
        measure does not apply."""
        compared = self.group.attack != _POSTHOC and self.original.planned
        gain = self.group.difference(self.original, "psnr") if compared else None
        measured = self.group.measured(MEASURES)
        return {**{name: measured[name] if self.group.applies(name) else None for name in MEASURES}, "gain": gain}

    def failures(self) -> list[str]:
        return [f"{self.name} on {line}" for line in self.group.failures()]


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    rows = read_table(SUMMARY, Path(summary))
    found = attacked(rows)
    return render.write(out, Table(numbers(found), columns(found), lines(found), text(rows, found)))


def attacked(summary: pd.DataFrame) -> list[Attacked]:
    """The attacks of a checked summary: by task in the catalogue's order, outputs and target model; then the original's
    two, the others by name, and the best."""
    source = frames.sources(summary)
    by_name = {name: frames.groups(summary, dict.fromkeys(ATTACK_OF, name)) for name in sorted(set(summary["attack"]))}
    originals = {_target(group): group for group in by_name.get(_POSTHOC, [])}
    found = [
        Attacked(group, originals.get(_target(group), replace(group, rows=group.rows.iloc[:0])), source[group.task])
        for groups in by_name.values()
        for group in groups
    ]
    return sorted(found, key=lambda one: (*frames.order(one.group.task), *_target(one.group)[1:], _place(one)))


def _place(one: Attacked) -> tuple[int, str]:
    attack, originals = one.group.attack, [_JOINT, _POSTHOC]
    return originals.index(attack) if attack in originals else 2 + (attack == BEST), attack


def numbers(found: Sequence[Attacked]) -> pd.DataFrame:
    """A row for each task, kind of outputs, target model and attack.

    ``gain``: PSNR minus that of the original's post-hoc attack on the same models, over the seeds that both have; empty
    for that attack itself.
    """
    rows = [
        one.group.facts()
        | {"source": one.source, "failures": "; ".join(one.failures())}
        | render.spread_columns(one.cells())
        for one in found
    ]
    return render.numbers(rows, _COLUMNS)


def columns(found: Sequence[Attacked]) -> list[Column]:
    return attacks.columns((one.group for one in found), [], [*MEASURED, attacks.gain("post-hoc")])


def lines(found: Sequence[Attacked]) -> list[Line]:
    printed = [attacks.line(one.group, one.source, one.name) | one.cells() for one in found]
    return render.once(printed, ("title",), ("outputs",), ("target",))


def text(summary: pd.DataFrame, found: Sequence[Attacked]) -> Text:
    groups = [one.group for one in found]
    return Text(
        "What every attack reads from the same outputs of the same target models: the original study's two, and those "
        f"of other attack models, where there are any. {counts(groups)} {UNITS_IDENTIFIED}",
        (
            frames.ATTACKS[BEST in set(summary["attack"])],
            "Accuracy is the target model's. PSNR over post-hoc: mean over the same models; a seed missing in one "
            "counts as failed. En dash: none.",
            identified((group.task, group.images) for group in groups),
            *about(summary, groups),
        ),
        [line for one in found for line in one.failures()],
    )


def _target(group: Group) -> tuple[str, str, str, float]:
    return group.task, group.outputs, group.role, group.beta_r
