"""Servers that know of detectors, beside the honest one and the vicious one that does not.

Adaptive servers all have one weight of the reconstruction loss, the study's first, so the vicious server beside them is
that of the same weight. One that hides its code sends the same outputs in another guise: its accuracy and its
reconstructions are those of the model that it hides.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from vicious.defense.evaluation.groups import HONEST, VICIOUS, names
from vicious.models.evaded import evasion
from vicious.report import frames, judged
from vicious.report.frames import Group
from vicious.results.schema import ATTACK_OF, BEST, Role
from vicious.system import registry
from vicious.system.errors import MixedResultsError

_FIRST = ("linear_decodability", "distance_correlation", "both")
EVADED = (*_FIRST, *(name for name in registry.names("vicious.training.penalties") if name not in _FIRST))
"""Detectors that servers evade, in the order of tables and figures."""


@dataclass(frozen=True)
class Server:
    """All seeds of one server.

    Attributes:
        name: its group (:mod:`vicious.defense.evaluation.groups`).
        hidden: how it hides its code; "": not at all.
        attack: the best of all; where a summary has none, the one of each seed that reconstructs best by PSNR, of the
            seeds that were attacked in most ways. Where outputs are hidden, that of the models that they hide.
        scores: detectors' scores of its models; empty where none was judged.
    """

    name: str
    hidden: str
    attack: Group
    scores: pd.DataFrame

    @property
    def models(self) -> int:
        """Number of models judged, those without a score included."""
        return int(self.scores["seed"].nunique())


@dataclass(frozen=True)
class Block:
    """The servers of one dataset and kind of outputs: honest, vicious, evading one detector after the other by growing
    weight, hiding. All vicious ones have the weight ``beta_r``; NaN where there is none."""

    dataset: str
    outputs: str
    source: str
    beta_r: float
    servers: tuple[Server, ...]

    @property
    def scores(self) -> pd.DataFrame:
        return pd.concat([server.scores for server in self.servers], ignore_index=True)

    @property
    def honest(self) -> Server:
        return self.servers[0]

    @property
    def vicious(self) -> tuple[Server, ...]:
        return self.servers[1:]


def blocks(summary: pd.DataFrame, scores: pd.DataFrame) -> list[Block]:
    """The servers of a checked summary and of checked scores, in the catalogue's order."""
    source = judged.sources(summary, scores["dataset"])
    shown = summary.loc[summary["attack"].isin({BEST} if BEST in set(summary["attack"]) else set(ATTACK_OF.values()))]
    known = [group for group in frames.groups(summary) if group.role != "autoencoder"]
    found = []
    for dataset, outputs in dict.fromkeys((group.dataset, group.outputs) for group in known):
        attacks = shown.loc[(shown["dataset"] == dataset) & (shown["outputs"] == outputs)]
        there = scores.loc[(scores["dataset"] == dataset) & scores["outputs"].isin(("", outputs))]
        beta_r = _weight(dataset, attacks, there)
        servers = tuple(_servers(dataset, outputs, beta_r, attacks, there.assign(group=names(there))))
        found.append(Block(dataset, outputs, source[dataset], beta_r, servers))
    return found


def evaded(found: Iterable[Block]) -> list[str]:
    there = {server.attack.evades for block in found for server in block.servers}
    return [name for name in EVADED if name in there]


def about_attacks(summary: pd.DataFrame) -> str:
    """A note: what the best attack on a vicious server is."""
    return frames.about_best(summary) or (
        "Best attack: the better, by PSNR, of the joint attack and another trained afterwards, over the seeds that "
        "have both."
    )


def failures(found: Sequence[Block], detectors: Sequence[str] | None = None) -> list[str]:
    """Why attacks, and ``detectors`` (None: any), have no result, a line for each; see :func:`without_score`."""
    attacks = [server.attack for block in found for server in block.servers if not server.hidden]
    return [*frames.failures(attacks), *without_score(found, detectors)]


def without_score(found: Sequence[Block], detectors: Sequence[str] | None = None) -> list[str]:
    """A line for each server and number of its models of which ``detectors`` have no score at the largest number of
    images."""
    lines: list[str] = []
    for dataset, server in ((block.dataset, server) for block in found for server in block.servers):
        scores = server.scores.loc[server.scores["n_user"] == server.scores["n_user"].max()]
        if detectors is not None:
            scores = scores.loc[scores["detector"].isin(detectors)]
        verdicts = scores.groupby(["detector", "seed"], sort=False)["score"].mean()
        lost = verdicts.isna().groupby(level="detector", sort=False).sum()
        lines += judged.without_score(f"{frames.title(dataset)}, {server.name}", lost, server.models)
    return lines


def conditions(summary: pd.DataFrame, found: Sequence[Block], *, accuracy: bool = False) -> str:
    """A note: the conditions of the models shown, not of vicious ones of other weights."""
    weight = {block.dataset: block.beta_r for block in found}
    same = (summary["role"] == "vicious") & (summary["beta_r"] == summary["dataset"].map(weight))
    return frames.conditions(summary.loc[(summary["role"] == "honest") | same], accuracy=accuracy, risk=True)


def _weight(dataset: str, attacks: pd.DataFrame, scores: pd.DataFrame) -> float:
    """The beta_R of the adaptive servers; without any, the smallest of the vicious ones."""
    knowing = (scores["role"] == "vicious") & ((scores["evasion"] != 0) | (scores["hidden"] != ""))
    adaptive = {*attacks.loc[attacks["evasion"] != 0, "beta_r"], *scores.loc[knowing, "beta_r"]}
    if len(adaptive) > 1:
        raise MixedResultsError(
            f"adaptive servers of {frames.title(dataset)} have several beta_R: "
            f"{', '.join(f'{b:g}' for b in sorted(adaptive))}: keep one configuration per results folder and run the "
            "summary again"
        )
    return min(adaptive or set(attacks.loc[attacks["role"] == "vicious", "beta_r"]), default=math.nan)


def _servers(
    dataset: str, outputs: str, beta_r: float, attacks: pd.DataFrame, scores: pd.DataFrame
) -> Iterator[Server]:
    def attack(role: Role, weight: float, evades: str = "", penalty: float = 0.0) -> Group:
        chosen = (attacks["role"] == role) & (attacks["beta_r"] == weight) & _evades(attacks, evades, penalty)
        rows = _best(attacks.loc[chosen])
        return Group(dataset, dataset, role, "best of some", outputs, weight, rows, evades, penalty)

    yield Server(HONEST, "", attack("honest", 0.0), scores.loc[scores["group"] == HONEST])
    vicious = scores.loc[(scores["role"] == "vicious") & (scores["beta_r"] == beta_r)]
    trained = attacks.loc[attacks["role"] == "vicious"]
    kinds = {("", "", 0.0), *(("", *kind) for kind in zip(trained["evades"], trained["evasion"], strict=True))}
    kinds |= set(zip(vicious["hidden"], vicious["evades"], vicious["evasion"], strict=True))
    for hidden, evades, penalty in sorted(kinds, key=_place):
        here = vicious.loc[(vicious["hidden"] == hidden) & _evades(vicious, evades, penalty)]
        group = attack("vicious", beta_r, evades, penalty)
        if hidden:
            group = replace(group, rows=group.rows.loc[group.rows["seed"].isin(set(here["seed"]))])
        parts = [VICIOUS, evasion(evades, penalty), hidden]
        yield Server(", ".join(filter(None, parts)), hidden, group, here)


def _evades(rows: pd.DataFrame, detector: str, weight: float) -> "pd.Series[bool]":
    return (rows["evades"] == detector) & (rows["evasion"] == weight)


def _place(kind: tuple[str, str, float]) -> tuple[str, int, float]:
    hidden, evades, weight = kind
    return hidden, EVADED.index(evades) if evades in EVADED else -1, weight


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """The attack of each seed that reconstructs best by PSNR.

    Where some seeds were attacked in more ways than others, of those alone: a best of fewer attacks would not compare.
    """
    ways = rows.groupby("seed")["seed"].transform("size")
    alike: pd.DataFrame = rows.loc[ways == ways.max()]
    return alike.sort_values("psnr", ascending=False, kind="stable").drop_duplicates("seed").sort_values("seed")
