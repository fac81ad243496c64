"""An audit's numbers among those of references."""

import json
from typing import Any

import pytest

from vicious.auditing.placing import Placed, numbers, place


def audit(leak: Any, identified: Any = 0.1, **scores: Any) -> dict[str, Any]:
    """The keys that are read."""
    return {
        "leak": {"value": leak, "low": 0.0, "high": 1.0},
        "measures": [{"name": "psnr", "value": 12.0}, {"name": "identified", "value": identified}],
        "detectors": [{"detector": name, "score": score} for name, score in scores.items()],
    }


def test_a_number_is_placed_among_those_that_references_have() -> None:
    references = [audit(0.2, margin=-1.0), audit(0.5, margin=None), audit(0.7), audit(0.1, 0.3)]
    assert place(audit(0.5, 0.1, margin=-2, entropy=0.1), references) == (
        Placed("leak", 0.5, (0.2, 0.5, 0.7, 0.1), 0.5),
        Placed("identified", 0.1, (0.1, 0.1, 0.1, 0.3), 0.0),
        Placed("margin", -2.0, (-1.0,), 0.0),
    )
    assert place(audit(0.5), []) == ()


def test_what_is_above_students_is_the_difference_from_those_who_leak_the_most() -> None:
    students = [{"family": "convolutional", "excess": 0.3}, {"family": "perceptron", "excess": -0.1}]
    assert numbers({"students": students}) == {"above_students": -0.1}
    odd = ({"family": "odd"}, {"excess": True}, {"excess": float("nan")}, {"excess": 10**400})
    assert all(numbers({"students": some}) == {} for some in ([], *([*students, one] for one in odd)))
    assert all(numbers({"students": [one, *students]}) == {} for one in odd)


def test_detectors_may_be_named_either_way() -> None:
    (found,) = place(
        {"detectors": [{"name": "margin", "score": 1}]}, [{"detectors": [{"detector": "margin", "score": 0}]}]
    )
    assert found == Placed("margin", 1.0, (0.0,), 1.0)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"leak": None, "measures": None, "detectors": None},
        {"leak": 0.3, "measures": {"identified": 1}, "detectors": "margin"},
        {"leak": {"value": "0.3"}, "measures": [None, {"name": "identified"}], "detectors": [{"score": 1}, 3]},
        {"leak": {"value": True}, "detectors": [{"name": ["margin"], "score": 1}]},
        {"leak": {"value": float("nan")}, "measures": [{"name": "identified", "value": float("inf")}]},
        {"leak": {"value": 10**400}},
    ],
    ids=lambda odd: json.dumps(odd)[:40],
)
def test_what_a_reference_lacks_is_left_out(odd: dict[str, Any]) -> None:
    assert place(odd, [audit(0.2)]) == place(audit(0.2), [odd]) == ()
    assert place(audit(0.2), [odd, audit(0.1)])[0] == Placed("leak", 0.2, (0.1,), 1.0)
