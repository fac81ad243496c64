"""The networks that are shipped with the package, and an audit beside them."""

import json
from pathlib import Path
from typing import Any

import pytest
from classifiers import CLASSIFIERS

from vicious.auditing.reference import SHIPPED, beside
from vicious.data.datasets import dataset_names
from vicious.defense.detector import PACKAGE
from vicious.system.registry import names

NETWORKS: list[dict[str, Any]] = json.loads(SHIPPED.read_text(encoding="utf-8"))["networks"]
MEASURED = Path(__file__).parents[2] / "benchmarks/measured/verdicts.json"


def audit(images: int = 200, leak: float = 0.5, **scores: float) -> dict[str, Any]:
    """The keys that are read."""
    return {
        "given": {"images": images},
        "leak": {"value": leak},
        "detectors": [{"detector": name, "score": score} for name, score in scores.items()],
    }


def test_the_file_holds_what_the_benchmark_measured_of_its_own_classifiers() -> None:
    audits = json.loads(MEASURED.read_text(encoding="utf-8"))["facts"]["audits"]
    known = {
        (one["dataset"], one["model"], one["images"]): (one["numbers"], one["among"])
        for one in audits
        if one["draw"] == 0 and one["model"] in map(str, CLASSIFIERS)
    }
    assert len(NETWORKS) == len(known)
    for one in NETWORKS:
        assert (one["numbers"], one["among"]) == known[one["dataset"], one["model"], one["images"]]


@pytest.mark.parametrize("images", sorted({one["images"] for one in NETWORKS}))
def test_there_are_honest_and_vicious_networks_for_each_dataset(images: int) -> None:
    some = [one for one in NETWORKS if one["images"] == images]
    for dataset in {one["dataset"] for one in some}:
        assert dataset in dataset_names()
        of_it = [one for one in some if one["dataset"] == dataset]
        assert len({one["model"] for one in of_it}) == len(of_it)
        assert min(sum(one["beta_r"] == 0 for one in of_it), sum(one["beta_r"] > 0 for one in of_it)) >= 5
    for one in some:
        assert set(one["numbers"]) <= {"leak", "above_students", "identified", *names(PACKAGE)}


def test_an_audit_lies_beside_networks_that_were_audited_on_about_as_many_images() -> None:
    assert [beside(audit(images)).images for images in (40, 50, 75, 134, 300)] == [50, 50, 50, 200, 200]
    assert all(beside(audit(images)).numbers for images in (40, 50, 75, 134, 300))
    assert not any(beside(audit(images)).numbers for images in (10, 33, 76, 133, 301, 5000)), "more images tell more"
    found = beside(audit(50, 0.25, margin=-3.0, unheard_of=1.0))
    assert [(one.name, one.value) for one in found.numbers] == [("leak", 0.25), ("margin", -3.0)]
    some = [one for one in NETWORKS if one["images"] == 50]
    leak = found.numbers[0]
    assert sorted(leak.honest) == sorted(one["numbers"]["leak"] for one in some if not one["beta_r"])
    assert sorted(leak.vicious) == sorted(one["numbers"]["leak"] for one in some if one["beta_r"])
    assert set(found.datasets) == {one["dataset"] for one in some}


def test_what_is_identified_is_compared_only_among_as_many_images() -> None:
    one = {"given": {"images": 200}, "measures": [{"name": "identified", "value": 0.3}]}
    assert [found.name for found in beside(one | {"among": 100}).numbers] == ["identified"]
    assert beside(one | {"among": 75}).numbers == ()


def test_a_number_that_the_audit_lacks_is_not_shown() -> None:
    assert beside({"given": {"images": 60}}).numbers == ()
