"""What models and attacks are called on the page."""

import math
from collections.abc import Mapping
from typing import Any

from vicious.report import frames
from vicious.results.schema import ATTACK_OF, BEST

_POSTHOC = ATTACK_OF["honest"]
ATTACKS = {BEST: "best", _POSTHOC: "original, post-hoc", ATTACK_OF["vicious"]: "original, joint"}


def dataset(task: str, source: str) -> str:
    """A task's title, which says where its images are synthetic."""
    return frames.title(task) + (" (synthetic)" if source == "synthetic" else "")


def attack(name: str) -> str:
    """An attack: ``best``, ``original, joint``, ``kernel ridge``."""
    return ATTACKS.get(name) or name.removeprefix(f"{_POSTHOC}-").replace("_", " ")


def beta(role: str, weight: float) -> str:
    """The weight of the reconstruction loss; "" of a model that was not trained with it."""
    return f"{weight:g}" if role == "vicious" and math.isfinite(weight) else ""


def place(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Sorts rows of summaries: by task in the catalogue's order, outputs, model, attack; the best attack first."""
    known = list(ATTACKS)
    attack = known.index(row["attack"]) if row["attack"] in known else len(known)
    model = (list(ATTACK_OF).index(row["role"]), row["beta_r"], row["evades"], row["evasion"])
    return frames.order(row["task"]), row["outputs"], *model, attack, row["attack"], row["means"]
