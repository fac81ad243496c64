"""What records say of the detector that a server evades."""

from collections.abc import Mapping
from typing import Any


def evasion_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The weight of a penalty against a detector (0: none), and that detector ("" for none), as a record tells them.

    Records that name no detector are of models that evade linear decodability.
    """
    weight = record.get("evasion", 0.0)
    return {"evasion": weight, "evades": record.get("evades", "linear_decodability" if weight else "")}


def evasion(evades: str, weight: float) -> str:
    """A penalty of that weight against a detector, in short: ``linear evasion 0.3``, ``distance evasion 1``; "" for none."""
    return f"{evades.split('_')[0]} evasion {weight:g}" if weight else ""
