"""What attackers read who have a larger budget, fewer images, or images of another dataset."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from vicious.models.means import parse_means
from vicious.report import attacks, frames, render
from vicious.report.frames import Group, OverSeeds
from vicious.report.render import MEASURED, Column, Line, Table
from vicious.report.text import UNITS_IDENTIFIED, Text, about, counts, identified
from vicious.results.schema import ATTACK_OF, MEASURES, SUMMARY, Role, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "attackers"
CONVERGED = 0.1
"""A larger budget that gains less PSNR, in dB, shows that the usual one is enough."""
_ROLES: tuple[Role, ...] = ("honest", "vicious")
_POSTHOC = ATTACK_OF["honest"]
_MODEL = ("outputs", "role", "beta_r", "attack", "means", "n_images", "seeds")
_COLUMNS = ("dataset", "task", "title", "source", *_MODEL, *render.spread_names((*MEASURES, "gain")), "failures")


@dataclass(frozen=True)
class Attacked:
    """All seeds of one attack, by an attacker of some means, on one target model.

    ``usual`` is the same attack with the study's means; empty where it was not run.
    """

    group: Group
    usual: Group
    means: str
    source: str

    @property
    def attack(self) -> str:
        """The attack model for readers: ``original``, ``kernel ridge``."""
        name = self.group.attack.removeprefix(_POSTHOC).removeprefix("-")
        return name.replace("_", " ") or "original"

    @property
    def words(self) -> str:
        """The attacker's means for readers: ``usual``, ``2 times the budget``, ``500 images``."""
        means = parse_means(self.means)
        parts = [f"{means.budget} times the budget"] if means.budget != 1 else []
        parts += [f"{means.images:,} images"] if means.images is not None else []
        parts += [f"images of {frames.title(means.of)}"] if means.of else []
        return ", ".join(parts) or "usual"

    def cells(self) -> dict[str, OverSeeds | None]:
        """Its measures, and ``gain``, the PSNR in dB minus that with the usual means; None for these themselves."""
        gain = self.group.difference(self.usual, "psnr") if self.means else None
        return {**self.group.measured(MEASURES), "gain": gain}

    def failures(self) -> list[str]:
        return [f"{self.attack}, {self.words}, on {line}" for line in self.group.failures()]


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    rows = read_table(SUMMARY, Path(summary))
    found = attacked(rows)
    return render.write(out, Table(numbers(found), columns(found), lines(found), text(rows, found)))


def attacked(summary: pd.DataFrame) -> list[Attacked]:
    """The attacks of a checked summary: by task in the catalogue's order, outputs, target model, attack, and means:
    the study's, budgets, numbers of images, other images."""
    source = frames.sources(summary)
    groups = {
        (str(means), _target(group)): group
        for (means, attack), rows in summary.groupby(["means", "attack"])
        for group in frames.groups(rows, dict.fromkeys(_ROLES, str(attack)))
    }
    found = [
        Attacked(group, groups.get(("", target), replace(group, rows=group.rows.iloc[:0])), means, source[group.task])
        for (means, target), group in groups.items()
    ]
    return sorted(found, key=lambda one: (*frames.order(one.group.task), *_target(one.group)[1:], *_place(one.means)))


def _place(means: str) -> tuple[str, int, int]:
    found = parse_means(means)
    return found.of, found.images or 0, found.budget


def numbers(found: Sequence[Attacked]) -> pd.DataFrame:
    """A row for each task, kind of outputs, target model, attack and means.

    ``gain``: PSNR minus that of the same attack with the study's means, over the seeds that both have; empty for that
    attack itself.
    """
    rows = [
        one.group.facts()
        | {"means": one.means, "source": one.source, "failures": "; ".join(one.failures())}
        | render.spread_columns(one.cells())
        for one in found
    ]
    return render.numbers(rows, _COLUMNS)


def columns(found: Sequence[Attacked]) -> list[Column]:
    means = Column("means", "Attacker has", text=True)
    measured = [column for column in MEASURED if column.key != "accuracy"]
    return attacks.columns((one.group for one in found), [means], [*measured, attacks.gain("usual")])


def lines(found: Sequence[Attacked]) -> list[Line]:
    printed = [attacks.line(one.group, one.source, one.attack) | {"means": one.words} | one.cells() for one in found]
    return render.once(printed, ("title",), ("outputs",), ("target",), ("attack",))


def text(summary: pd.DataFrame, found: Sequence[Attacked]) -> Text:
    groups = [one.group for one in found]
    return Text(
        "What attackers with other means read from the same outputs of the same target models. "
        f"{counts(groups)} {UNITS_IDENTIFIED.replace('Accuracy and i', 'I')}",
        (
            "Usual: all training images of the target model, and the attack model's own budget, which is its epochs or "
            "the size of its fit. Fewer images: the same share of the validation images, and as many more epochs, so "
            "that there are as many steps. Images of another dataset: the attacker has no others, also to validate.",
            converged(found),
            "PSNR over usual: mean over the same models; a seed missing in one counts as failed. En dash: none.",
            identified((group.task, group.images) for group in groups),
            *about(summary, groups),
        ),
        [line for one in found for line in one.failures()],
    )


def converged(found: Sequence[Attacked]) -> str:
    """A note on larger budgets: whether they gain less than :data:`CONVERGED` dB, and where not; "" without any."""
    larger = [one for one in found if parse_means(one.means).budget > 1]
    if not larger:
        return ""
    gains = [(one, gain.mean) for one in larger if (gain := one.cells()["gain"]) is not None]
    failed = sum(math.isnan(mean) for _, mean in gains)
    odd = [
        f"{one.attack} on {frames.title(one.group.task)}, {one.group.role} ({one.words}: {mean:+.2f} dB)"
        for one, mean in gains
        if mean >= CONVERGED
    ]
    few = len(gains) - len(odd) - failed
    count = f"A larger budget gains less than {CONVERGED:g} dB in {few} of {len(gains)} cases"
    more = f"; more is gained by {', '.join(odd)}" if odd else ""
    return f"{count}{more}{f'; {failed} failed' if failed else ''}."


def _target(group: Group) -> tuple[str, str, str, float, str]:
    return group.task, group.outputs, group.role, group.beta_r, group.attack
