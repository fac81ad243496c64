"""Outputs of all kinds become logits, and what is no such thing is refused."""

from typing import Any

import numpy as np
import pytest
from audited import evidence
from scipy.special import expit, log_softmax, softmax

from vicious.auditing.given import Given, Said, gather
from vicious.auditing.images import Images
from vicious.system.errors import AuditError

GIVEN = evidence(20, 1.0)


def gathered(outputs: Any, **said: Any) -> Given:
    return gather(named(GIVEN.images), np.asarray(outputs, dtype=np.float64), Said(**said))


def named(images: Any) -> Images:
    return Images(tuple(map(str, range(len(images)))), images)


def original(found: Given) -> Any:
    """Logits in the order in which images were given."""
    return found.evidence.logits[np.argsort([int(one) for one in found.names])]


def test_logits_stay_and_images_keep_theirs() -> None:
    found = gathered(GIVEN.logits)
    np.testing.assert_array_equal(original(found), GIVEN.logits)
    for place, name in enumerate(found.names):
        np.testing.assert_array_equal(found.evidence.images[place], GIVEN.images[int(name)])
    assert found.kind == "logits"
    assert not found.labelled
    np.testing.assert_array_equal(found.evidence.labels, found.evidence.logits.argmax(1))


def test_images_sorted_by_class_are_mixed() -> None:
    assert list(gathered(GIVEN.logits).names) != list(map(str, range(20)))
    assert gathered(GIVEN.logits, seed=3).names == gathered(GIVEN.logits, seed=3).names


def test_probabilities_become_logits_up_to_a_shift() -> None:
    found = gathered(softmax(GIVEN.logits, axis=1))
    assert found.kind == "probabilities"
    np.testing.assert_allclose(original(found), log_softmax(GIVEN.logits, axis=1), atol=1e-6)


def test_probabilities_of_zero_stay_finite() -> None:
    found = gathered(np.eye(4)[GIVEN.labels])
    assert np.isfinite(found.evidence.logits).all()


def test_float16_sums_are_near_enough_to_one() -> None:
    assert not gathered(softmax(GIVEN.logits, axis=1).astype(np.float16)).evidence.multilabel


def test_probabilities_that_do_not_sum_to_one_are_of_attributes() -> None:
    found = gathered(expit(GIVEN.logits))
    assert found.evidence.multilabel
    np.testing.assert_allclose(original(found), GIVEN.logits, atol=1e-6)
    assert any("do not sum to 1" in note for note in found.notes)


def test_one_output_is_the_second_of_two_classes() -> None:
    found = gathered(GIVEN.logits[:, :1])
    assert found.evidence.logits.shape == (20, 2)
    np.testing.assert_allclose(original(found)[:, 1] - original(found)[:, 0], GIVEN.logits[:, 0])
    sure = gathered(expit(GIVEN.logits[:, :1]), kind="probabilities")
    np.testing.assert_allclose(original(sure)[:, 1] - original(sure)[:, 0], GIVEN.logits[:, 0], atol=1e-6)


def test_labels_are_kept_with_their_images() -> None:
    found = gathered(GIVEN.logits, labels=GIVEN.labels)
    assert found.labelled
    np.testing.assert_array_equal(found.evidence.labels, GIVEN.labels[[int(one) for one in found.names]])


def test_large_images_are_made_smaller_and_then_the_model_is_not_asked() -> None:
    images = np.repeat(np.repeat(GIVEN.images, 8, 2), 8, 3)
    found = gather(named(images), GIVEN.logits, query=lambda _images: GIVEN.logits)
    assert found.evidence.images.shape == (20, 1, 64, 64)
    assert found.evidence.query is None
    assert any("64 x 64" in note for note in found.notes)


@pytest.mark.parametrize(
    ("outputs", "said", "words"),
    [
        (GIVEN.logits[:5], {}, "as many rows"),
        (GIVEN.logits * np.nan, {}, "NaN or infinity"),
        (GIVEN.logits, {"labels": GIVEN.labels[:7]}, "as many labels, found 7"),
        (GIVEN.logits, {"kind": "probabilities"}, "say --outputs logits"),
    ],
)
def test_what_is_no_such_thing_is_refused(outputs: Any, said: Any, words: str) -> None:
    with pytest.raises(AuditError, match=words):
        gathered(outputs, **said)


def test_images_that_are_nearly_the_same_count_once() -> None:
    """Else one image would be read from its twin."""
    given = evidence(40, 1.0)
    twice = np.concatenate([given.images, (given.images + 0.004).clip(0, 1)])
    found = gather(named(twice), np.concatenate([given.logits] * 2))
    assert len(found.names) == 40
    assert any("Left out, as nearly the same as another image: 40." in note for note in found.notes)
    with pytest.raises(AuditError, match="only 5 images differ"):
        gather(named(np.concatenate([GIVEN.images[:5]] * 4)), GIVEN.logits)


def test_no_scale_of_the_outputs_changes_what_they_tell() -> None:
    found, plain = gathered(GIVEN.logits * 1e300), gathered(GIVEN.logits)
    np.testing.assert_allclose(
        found.evidence.logits / np.abs(found.evidence.logits).max(),
        plain.evidence.logits / np.abs(plain.evidence.logits).max(),
    )
    with pytest.raises(AuditError, match="a seed is 0 or more"):
        gathered(GIVEN.logits, seed=-1)


def test_a_few_images_are_too_few() -> None:
    with pytest.raises(AuditError, match="give at least 10"):
        gather(named(GIVEN.images[:1]), GIVEN.logits[:1])
