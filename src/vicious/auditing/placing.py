"""Where a model lies among others that were audited before: its leak, how many are recognised, detectors' scores.

The others are what the user takes for references, such as honest models on the same data. Nothing is tested.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Placed:
    """One number of an audit among those of references.

    Attributes:
        name: ``leak``, ``identified``, or a detector.
        value: of the audit.
        references: of those that have this number, at least one, in their order.
        share_below: share of the references that lie strictly below the value, in [0, 1].
    """

    name: str
    value: float
    references: tuple[float, ...]
    share_below: float


def place(audit_json: Mapping[str, Any], references: Sequence[Mapping[str, Any]]) -> tuple[Placed, ...]:
    """Place an audit among references; all are of :func:`vicious.auditing.record.record`.

    What an audit or a reference lacks, or has in another form, is left out: so is a number that no reference has.
    """
    others = [_numbers(one) for one in references]
    found = []
    for name, value in _numbers(audit_json).items():
        known = tuple(other[name] for other in others if name in other)
        if known:
            found.append(Placed(name, value, known, sum(one < value for one in known) / len(known)))
    return tuple(found)


def _numbers(audit: Mapping[str, Any]) -> dict[str, float]:
    """By name, in the order of :class:`Placed`; of two of a name the first."""
    found: dict[str, float] = {}
    for name, value in _pairs(audit):
        if isinstance(name, str) and isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:  # JSON has whole numbers of any size
                continue
            if math.isfinite(number):
                found.setdefault(name, number)
    return found


def _pairs(audit: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    if isinstance(leak := audit.get("leak"), Mapping):
        yield "leak", leak.get("value")
    for one in _objects(audit, "measures"):
        if one.get("name") == "identified":
            yield "identified", one.get("value")
    for one in _objects(audit, "detectors"):
        yield one.get("name", one.get("detector")), one.get("score")


def _objects(audit: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = audit.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []
