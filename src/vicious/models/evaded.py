"""What records say of servers that know what the user does, in short: the detector that they evade, the outputs they train for."""

from collections.abc import Mapping
from typing import Any, Literal

UNNAMED: Literal["linear_decodability"] = "linear_decodability"
"""The detector that is evaded where none is named: in names of models, on the command line, in records of old."""


def evasion_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The weight of a penalty against a detector (0: none), and that detector ("" for none), as a record tells them.

    Records that name no detector are of models that evade :data:`UNNAMED`.
    """
    weight = record.get("evasion", 0.0)
    return {"evasion": weight, "evades": record.get("evades", UNNAMED if weight else "")}


def short(evades: str) -> str:
    """A detector evaded in one word: ``linear``, ``distance``, ``both``."""
    return evades.split("_")[0]


def evasion(evades: str, weight: float) -> str:
    """A penalty of that weight against a detector, in short: ``linear evasion 0.3``, ``distance evasion 1``; "" for none."""
    return f"{short(evades)} evasion {weight:g}" if weight else ""


def trained_otherwise(outputs: str, trained_for: str) -> str:
    """That a vicious model was trained for other outputs than the attacked ones: ``trained for logits``, or ""."""
    return f"trained for {trained_for}" if trained_for not in ("", outputs) else ""
