"""Attacks on outputs as a user treats them, by kind, and what the kinds mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from vicious.mitigations import parse_outputs
from vicious.report import frames
from vicious.report.frames import Group, OverSeeds
from vicious.results.schema import BEST, SUMMARY, Role, check_table, reported, unique
from vicious.system.errors import DataError
from vicious.system.registry import find, names

SERVERS = ("honest", "vicious", "aware")
"""Those whose models are attacked: ``aware`` is a vicious server that expects what the user does to the outputs, and
trained for it; the other one trained for logits."""
NAMES = {"aware": "vicious, trained for it"}
"""Servers whose name is none for readers."""
UNTREATED = "logits"
"""What a vicious server trains for that expects no treatment."""
LABEL = "label"
"""The kind that is the predicted label and nothing else."""

_FIRST = ("logits", "clip", "softmax", "probabilities", "temperature", "top", "round", "dither", "noise", "label")
_KINDS = (*_FIRST, *(name for name in names("vicious.mitigations") if name not in _FIRST))
"""All kinds of outputs, in the order of tables and figures."""
_GROWING = ("noise",)
"""Kinds that a larger amount changes more; of the others, a smaller one."""


@dataclass(frozen=True)
class Treated:
    """One kind of outputs of a task: the attacks on the models of each server (:data:`SERVERS`), each possibly not
    run."""

    task: str
    outputs: str
    honest: Group
    vicious: Group
    aware: Group

    @property
    def groups(self) -> dict[str, Group]:
        """By server; without the one that trains for it where none does."""
        found: dict[str, Group] = {name: getattr(self, name) for name in SERVERS}
        return {name: group for name, group in found.items() if group.planned or name != "aware"}

    def worst(self, measure: str) -> float:
        """Mean of a measure of the vicious server whose attack reconstructs best; NaN without any result."""
        means = (group.over_seeds(measure).mean for name, group in self.groups.items() if name != "honest")
        return max((mean for mean in means if math.isfinite(mean)), default=math.nan)


def treated(summary: pd.DataFrame) -> list[Treated]:
    """The kinds of outputs of each task: tasks in the catalogue's order, kinds in that of :func:`rank`.

    Shown is the same attack on models of either role, the best or the post-hoc one: a decoder trained together with the
    model never saw treated outputs.
    """
    check_table(SUMMARY, summary)
    attack = reported(set(summary["attack"]))["honest"]
    shown = summary.loc[(summary["attack"] == attack) & (summary["evasion"] == 0)]
    for_it = (shown["trained_for"] == shown["outputs"]) & (shown["outputs"] != UNTREATED)
    shown = shown.assign(server=shown["role"].mask(for_it, "aware"))
    shown = shown.loc[for_it | shown["trained_for"].isin(("", UNTREATED))]
    unique(shown, ("task", "server", "outputs", "seed"), "summary")
    known = {(one.task, one.outputs, server): one for server in SERVERS for one in _of_server(shown, server, attack)}
    if not known:
        raise DataError(f"the summary holds no attack {attack}: run the steps that assess them, then the summary again")
    try:
        names = sorted({key[:2] for key in known}, key=lambda name: (*frames.order(name[0]), *rank(name[1])))
    except ValueError as error:
        raise DataError(f"summary: {error}: run the step that writes it again") from None

    def group(task: str, outputs: str, server: str) -> Group:
        none = Group(task, task, _role(server), attack, outputs, math.nan, summary.iloc[:0])
        return known.get((task, outputs, server), none)

    return [Treated(*name, *(group(*name, server) for server in SERVERS)) for name in names]


def groups(found: Sequence[Treated]) -> list[Group]:
    return [group for one in found for group in one.groups.values() if group.planned]


def rank(outputs: str) -> tuple[int, float]:
    """Sorting key of a kind of outputs: by kind, within it from the least to the greatest change.

    Raises:
        ValueError: it names no kind.
    """
    kind = parse_outputs(outputs)
    return _KINDS.index(kind.kind), kind.amount if kind.kind in _GROWING else -kind.amount


def beyond(found: Sequence[Treated], one: Treated, group: Group) -> OverSeeds | None:
    """PSNR (dB) of an attack above that on the labels alone of the same seeds, over the seeds that both have.

    None for the latter, and where there is none. No server trains for labels: they are those of the other vicious one.
    """
    sent = next((other for other in found if (other.task, other.outputs) == (one.task, LABEL)), None)
    label = None if sent is None else sent.honest if group.role == "honest" else sent.vicious
    return None if label is None or group is label else group.difference(label, "psnr")


def title(outputs: str) -> str:
    """A kind of outputs for readers: ``softmax``, ``temperature 10``, ``top 3``, ``4 bits``, ``noise 0.1``."""
    kind = parse_outputs(outputs)
    if kind.kind in ("round", "dither"):
        bits = f"{kind.amount:g} bit" + ("" if kind.amount == 1 else "s")
        return bits if kind.kind == "round" else f"{bits}, dithered"
    return f"{kind.kind} {kind.amount:g}" if kind.amount else kind.kind


def meanings(found: Sequence[Treated]) -> str:
    kinds = {parse_outputs(one.outputs).kind for one in found}
    words = "; ".join(_meaning(kind) for kind in _KINDS if kind in kinds)
    return (
        f"What is sent: {words}. The attack model reads logits and softmax as they are sent, as in the original study, "
        "and all other probabilities together with their logarithms."
    )


def attack_words(summary: pd.DataFrame) -> str:
    """The attack that is shown, for captions."""
    if BEST in set(summary["attack"]):
        return "the best attack on outputs after the same mitigation"
    return "an attack model trained from scratch on outputs after the same mitigation"


def servers(found: Sequence[Treated]) -> str:
    if not any(one.aware.planned for one in found):
        return "The vicious server trained for logits."
    return (
        f"Vicious: the server trained for logits. {NAMES['aware'].capitalize()}: the server expected the mitigation, "
        "and trained F and G jointly for it (through rounding by a straight-through gradient; no server can train "
        "for labels). Little gradient passes top k and rounding: a better optimiser may read more."
    )


def _meaning(kind: str) -> str:
    """What a kind means: the first line of its file, without the full stop."""
    return str(find("vicious.mitigations", kind).__doc__).splitlines()[0].removesuffix(".")


def _role(server: str) -> Role:
    return "honest" if server == "honest" else "vicious"


def _of_server(shown: pd.DataFrame, server: str, attack: str) -> list[Group]:
    """The groups of one server, by outputs and beta_R; none where it was not run."""
    rows = shown.loc[shown["server"] == server]
    return frames.groups(rows, {_role(server): attack}) if len(rows) else []
