"""The comparison with honest students: it finds what leaks more, and nothing where outputs are a student's own."""

from dataclasses import replace

import numpy as np
import pytest
from audited import CLASSES, evidence

from vicious.defense.excess import PASSES, compare
from vicious.defense.student import FAMILIES, FOLDS, student_outputs


def test_more_than_any_student_tells_is_found() -> None:
    found = compare(evidence(100, 3.0))
    assert found.more
    assert [one.family for one in found.against] == list(FAMILIES)
    assert all(one.excess == pytest.approx(found.leak - one.leak) for one in found.against)
    assert all(one.low < one.excess < one.high and one.agreement > 0.8 for one in found.against)
    assert found.more_than_some


def test_the_label_alone_is_no_excess() -> None:
    found = compare(evidence(100, 0.0))
    assert not found.more
    assert found.leak == pytest.approx(0, abs=0.1)


def test_a_student_leaks_no_more_than_students_do() -> None:
    """Judged by its own outputs, from another seed, it is one of them."""
    given = evidence(100, 0.0)
    outputs = student_outputs(given.images, given.predicted, False, "perceptron", seed=5)
    assert not compare(replace(given, logits=outputs)).more


def test_the_same_evidence_gives_the_same_comparison() -> None:
    given, calls = evidence(40, 1.0), []
    assert compare(given, lambda: calls.append(1)) == compare(given)
    assert len(calls) == len(FAMILIES) * FOLDS < PASSES


def test_a_student_never_saw_the_image_that_it_answers() -> None:
    """Labels at random can be learnt by heart, and not guessed."""
    given = evidence(80, 0.0)
    label = np.eye(CLASSES)[np.random.default_rng(9).integers(CLASSES, size=80)]
    outputs = student_outputs(given.images, label, False, "perceptron", seed=0)
    assert (outputs.argmax(1) == label.argmax(1)).mean() < 0.5


def test_attributes_have_students_too() -> None:
    given = evidence(80, 2.0)
    attributes = np.stack([given.labels >= 2, given.labels % 2], 1).astype(np.int64)
    logits = 8.0 * (attributes - 0.5) + given.logits[:, :2] - 8 * np.eye(CLASSES)[given.labels][:, :2]
    found = compare(replace(given, labels=attributes, logits=logits))
    assert found.against
    assert found.leak > 0.2


@pytest.mark.parametrize(
    ("n", "outputs", "said"),
    [
        (30, CLASSES, "students need at least 40"),
    ],
)
def test_where_students_cannot_be_compared_it_says_why(n: int, outputs: int, said: str) -> None:
    given = evidence(n, 1.0)
    logits = np.hstack([given.logits, np.full((n, outputs - CLASSES), -20.0)])
    found = compare(replace(given, logits=logits))
    assert said in found.why_not
    assert found.against == ()
    assert not found.more


def test_outputs_of_labels_that_do_not_occur_are_not_compared() -> None:
    """A student has none of them, so they would make any model look as if it told more."""
    given = evidence(80, 0.0)
    code = given.pixels[:, :6] * 5
    found = compare(replace(given, logits=np.hstack([given.logits, code - 50])))
    assert found.leak > found.compared + 0.1
    assert not found.more


def test_a_second_label_that_hardly_occurs_is_not_enough() -> None:
    given = evidence(60, 1.0)
    logits = given.logits.copy()
    logits[:, 0] += 100
    logits[:3, 1] += 200
    assert "students need 4 of a second one" in compare(replace(given, logits=logits)).why_not


def test_outputs_of_other_images_are_no_sign_of_safety() -> None:
    given = evidence(80, 3.0)
    found = compare(replace(given, logits=given.logits[np.random.default_rng(0).permutation(80)]))
    assert found.against == ()
    assert "the outputs may be in another order" in found.why_not


@pytest.mark.parametrize("hidden", ["the largest", "all"])
def test_noise_that_costs_a_server_nothing_hides_no_code(hidden: str) -> None:
    """On the largest output, or the same on all: neither changes the label, and both are easily undone."""
    given = evidence(120, 3.0)
    noise = 100 * np.abs(np.random.default_rng(2).normal(size=(120, 1)))
    where = given.predicted if hidden == "the largest" else 1.0
    assert compare(replace(given, logits=given.logits + noise * where)).low > 0.15


def test_one_predicted_label_is_too_few() -> None:
    given = evidence(60, 1.0)
    logits = given.logits.copy()
    logits[:, 0] += 100
    assert compare(replace(given, logits=logits)).why_not == "the model predicts the same label for all images"


def test_images_that_are_all_alike_have_no_leak() -> None:
    given = evidence(60, 1.0)
    found = compare(replace(given, images=np.full_like(given.images, 0.5)))
    assert (found.leak, found.why_not) == (0.0, "images of the same predicted label are all alike")
