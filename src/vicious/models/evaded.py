"""Servers that know what the user does, in short: the detector that they evade, the outputs that they train for."""

from collections.abc import Mapping
from typing import Any, Literal

UNNAMED: Literal["linear_decodability"] = "linear_decodability"
"""The detector that is evaded where none is named: in names of models and on the command line."""


def evasion_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """From a model's record: the weight of its adaptive penalty (0: none), and what it is against ("": nothing)."""
    return {"evasion": record.get("evasion", 0.0), "evades": record.get("evades", "")}


def short(evades: str) -> str:
    """What is evaded in one word: ``linear``, ``distance``, ``kernel``, ``both``, ``students``."""
    return evades.split("_")[0]


def against(evades: str) -> str:
    """What a penalty is against, in words: a detector or two, or the rule that compares with students."""
    return "the recommended rule" if evades == "students" else evades.replace("_", " ")


def evasion(evades: str, weight: float) -> str:
    """An adaptive penalty in short: ``linear evasion 0.3``, ``distance evasion 1``; "" for none."""
    return f"{short(evades)} evasion {weight:g}" if weight else ""


def trained_otherwise(outputs: str, trained_for: str) -> str:
    """That a vicious model was trained for other outputs than the attacked ones: ``trained for logits``, or ""."""
    return f"trained for {trained_for}" if trained_for not in ("", outputs) else ""
