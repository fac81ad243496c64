"""Where a model lies among others that were audited before: its leak, how many are recognised, detectors' scores.

The others are what the user takes for references, such as honest models on the same data, or the networks of known
training that are shipped (:mod:`vicious.auditing.reference`). Nothing is tested.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Placed:
    """One number of an audit among those of references.

    Attributes:
        name: as in :func:`numbers`.
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
    others = [numbers(one) for one in references]
    found = []
    for name, value in numbers(audit_json).items():
        known = tuple(other[name] for other in others if name in other)
        if known:
            found.append(Placed(name, value, known, sum(one < value for one in known) / len(known)))
    return tuple(found)


def numbers(audit: Mapping[str, Any]) -> dict[str, float]:
    """An audit's numbers by name, as far as it has them; of two of a name the first.

    ``leak``; ``above_students``, the leak that is compared with students minus that of those who leak the most;
    ``identified``, a share; and the score of each detector.

    Args:
        audit: of :func:`vicious.auditing.record.record`.
    """
    found: dict[str, float] = {}
    for name, value in _pairs(audit):
        number = _finite(value)
        if isinstance(name, str) and number is not None:
            found.setdefault(name, number)
    return found


def _finite(value: Any) -> float | None:
    """A number of a JSON file, if it is one and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any size
        return None
    return number if math.isfinite(number) else None


def _pairs(audit: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    if isinstance(leak := audit.get("leak"), Mapping):
        yield "leak", leak.get("value")
    above = [_finite(one.get("excess")) for one in _objects(audit, "students")]
    known = [one for one in above if one is not None]
    if known and len(known) == len(above):
        yield "above_students", min(known)
    for one in _objects(audit, "measures"):
        if one.get("name") == "identified":
            yield "identified", one.get("value")
    for one in _objects(audit, "detectors"):
        yield one.get("name", one.get("detector")), one.get("score")


def _objects(audit: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = audit.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []
