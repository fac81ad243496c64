"""What table 12 and figure 15 share: attacks on outputs as a user treats them, by kind, and what the kinds mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pandas as pd

from vicious.errors import DataError
from vicious.models.kinds import Kind, parse_outputs
from vicious.report import frames
from vicious.report.frames import Cell, Group
from vicious.study import Role

ATTACK = "posthoc"
"""The attack on models of either role: a decoder trained together with the model never saw treated outputs."""
ROLES: tuple[Role, ...] = ("honest", "vicious")
LABEL = "label"
"""The kind that tells the predicted label and nothing else."""
PERCENT = 100.0

_ATTACKS: dict[Role, str] = dict.fromkeys(ROLES, ATTACK)
_KINDS: tuple[Kind, ...] = get_args(Kind)
_GROWING = ("noise",)
"""Kinds that a larger amount changes more; of the others, a smaller one."""


@dataclass(frozen=True)
class Treated:
    """One kind of outputs of a task: the attacks on the honest and on the vicious models, each possibly not run."""

    task: str
    outputs: str
    honest: Group
    vicious: Group

    @property
    def groups(self) -> tuple[Group, Group]:
        """The honest and the vicious models."""
        return self.honest, self.vicious


def read(path: Path) -> pd.DataFrame:
    """Read and check the experiment's summary.

    Raises:
        DataError: it is missing, damaged, or lacks a column.
        MixedResultsError: it mixes configurations.
    """
    return frames.read_summary(Path(path), ("calibration_error",))


def treated(summary: pd.DataFrame) -> list[Treated]:
    """The kinds of outputs of each task: tasks in the catalogue's order, kinds in that of :func:`rank`.

    Raises:
        DataError: a column is missing, a kind is unknown, or there is no post-hoc attack.
        MixedResultsError: the rows mix configurations, several beta_R among them.
    """
    frames.check_summary(summary)
    shown = summary.loc[(summary["attack"] == ATTACK) & (summary["evasion"] == 0)]
    frames.unique(shown, ("task", "role", "outputs", "seed"), "summary")
    found = {(group.task, group.outputs, group.role): group for group in frames.groups(shown, _ATTACKS)}
    try:
        names = sorted({key[:2] for key in found}, key=lambda name: (*frames.order(name[0]), *rank(name[1])))
    except ValueError as error:
        raise DataError(f"summary: {error}: run the step that writes it again") from None
    nothing = summary.iloc[:0]

    def of_role(task: str, outputs: str, role: Role) -> Group:
        return found.get((task, outputs, role), Group(task, task, role, outputs, math.nan, nothing))

    return [Treated(*name, of_role(*name, "honest"), of_role(*name, "vicious")) for name in names]


def groups(found: Sequence[Treated]) -> list[Group]:
    """All groups that were run, in order."""
    return [group for one in found for group in one.groups if group.planned]


def rank(outputs: str) -> tuple[int, float]:
    """Sorting key of a kind of outputs: by kind, within it from the least to the greatest change.

    Raises:
        ValueError: it names no kind.
    """
    kind = parse_outputs(outputs)
    return _KINDS.index(kind.kind), kind.amount if kind.kind in _GROWING else -kind.amount


def beyond(group: Group, label: Group | None) -> Cell | None:
    """PSNR (dB) of an attack above that on the labels alone of the same seeds, over the seeds that both have.

    None where ``label`` is the same group, or is none.
    """
    if label is None or group is label:
        return None
    mine, theirs = _psnr(group), _psnr(label)
    return frames.cell((mine - theirs).dropna().to_numpy(dtype=float), group.planned)


def labels(found: Sequence[Treated], role: Role) -> dict[str, Group]:
    """The groups of a role whose user sends nothing but labels, by task."""
    return {one.task: group for one in found if one.outputs == LABEL for group in one.groups if group.role == role}


def title(outputs: str) -> str:
    """A kind of outputs for readers: ``softmax``, ``temperature 10``, ``top 3``, ``4 bits``, ``noise 0.1``."""
    kind = parse_outputs(outputs)
    if kind.kind == "round":
        return f"{kind.amount:g} bit" + ("" if kind.amount == 1 else "s")
    return f"{kind.kind} {kind.amount:g}" if kind.amount else kind.kind


def meanings(found: Sequence[Treated]) -> str:
    """A sentence for a caption: what the names of the kinds shown mean, and how the attack model reads them."""
    kinds = {parse_outputs(one.outputs).kind for one in found}
    words = "; ".join(text for kind, text in _MEANINGS.items() if kind in kinds)
    return (
        f"What is sent: {words}. The attack model reads logits and softmax as they are sent, as in the original study, and "
        "all other probabilities together with their logarithms."
    )


def settings(summary: pd.DataFrame, found: Sequence[Treated]) -> str:
    """Sentences for a caption: data, test images, seeds, outputs and beta_R."""
    return frames.settings(summary, accuracy=True, risk=True, found=groups(found))


_MEANINGS: dict[Kind, str] = {
    "logits": "logits: the model's outputs untouched",
    "softmax": "softmax: the probabilities",
    "probabilities": "probabilities: the same, only read otherwise",
    "temperature": "temperature T: probabilities of the logits divided by T",
    "top": "top k: the k largest probabilities, all others 0 (the k surest attributes, all others 0 or 1)",
    "round": "b bits: probabilities rounded to multiples of 1 / (2^b - 1)",
    "noise": "noise s: probabilities with Gaussian noise of standard deviation s, clipped to [0, 1]",
    "label": "label: the predicted class or attributes alone",
}


def _psnr(group: Group) -> "pd.Series[float]":
    """PSNR by seed, of those that succeeded."""
    return group.rows.loc[group.rows["status"] == "ok"].set_index("seed")["psnr"].astype(float)
