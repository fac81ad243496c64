"""Affine models are told from networks by asking them, and are compared with honest models of their own kind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from audited import CLASSES, evidence
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from torch import nn

from vicious.auditing.given import Said, gather
from vicious.auditing.images import Images
from vicious.defense.affine import is_affine
from vicious.defense.detector import Evidence
from vicious.defense.excess import PASSES, compare
from vicious.defense.student import AFFINE, FAMILIES, student_outputs

Query = Callable[[NDArray[np.float32]], NDArray[Any]]
IMAGES = evidence(120, 0.0)


def asked(query: Query, given: Evidence = IMAGES) -> Evidence:
    return replace(given, query=query, logits=query(given.images))


def flat(images: NDArray[np.float32]) -> NDArray[np.float64]:
    return images.reshape(len(images), -1).astype(np.float64)


TEMPLATES = np.random.default_rng(2).normal(size=(CLASSES, flat(IMAGES.images).shape[1]))
OTHERS = evidence(400, 0.0, seed=9)
MEANS = np.stack([flat(OTHERS.images)[OTHERS.labels == one].mean(0) for one in range(CLASSES)])


def linear(images: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = flat(images) @ TEMPLATES.T + 3.0
    return found


def to_means(images: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(-((flat(images)[:, None] - MEANS) ** 2).sum(2))


def through(layers: list[nn.Module]) -> Query:
    torch.manual_seed(0)
    network = nn.Sequential(*layers).eval()

    def query(images: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            found: NDArray[Any] = network(torch.from_numpy(images)).numpy()
        return found

    return query


def bent() -> list[nn.Module]:
    """Layers with a rectifier, the same ones in every run."""
    torch.manual_seed(1)
    return [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, CLASSES)]


@pytest.mark.parametrize(
    "query", [linear, lambda images: log_softmax(linear(images), 1), lambda images: linear(images) * 1e-6]
)
def test_a_linear_map_is_affine_and_so_are_its_log_probabilities(query: Query) -> None:
    assert is_affine(asked(query))


def test_what_all_logits_share_may_be_a_code_and_makes_no_linear_map() -> None:
    assert not is_affine(asked(lambda images: linear(images) + 5 * np.sin(flat(images).sum(1))[:, None]))
    assert not is_affine(asked(to_means))


def test_a_convolution_without_a_bend_is_affine_and_one_with_it_is_not() -> None:
    straight: list[nn.Module] = [nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8 * 14 * 14, CLASSES)]
    assert is_affine(asked(through(straight)))
    assert not is_affine(asked(through(bent())))


def test_a_perceptron_that_learnt_is_not_affine() -> None:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, CLASSES)]
    query = through(layers)
    network = nn.Sequential(*layers)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(100):
        loss = nn.functional.cross_entropy(network(torch.from_numpy(IMAGES.images)), torch.from_numpy(IMAGES.labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert not is_affine(asked(query))


def test_only_a_model_that_answers_can_be_affine() -> None:
    assert not is_affine(replace(IMAGES, logits=linear(IMAGES.images)))
    calls = []

    def once(images: NDArray[np.float32]) -> NDArray[Any]:
        calls.append(1)
        return linear(images) * (np.nan if len(calls) > 1 else 1)

    assert not is_affine(asked(once))
    assert not is_affine(asked(lambda images: np.ones((len(images), CLASSES))))


def test_attributes_are_each_a_map_of_their_own() -> None:
    labels = (linear(IMAGES.images) > 0).astype(np.int64)
    assert is_affine(asked(linear, replace(IMAGES, labels=labels)))
    shared = lambda images: linear(images) + 30 * np.sin(flat(images).sum(1, keepdims=True))  # noqa: E731
    assert not is_affine(asked(shared, replace(IMAGES, labels=labels)))


def test_probabilities_are_asked_for_as_logits() -> None:
    """Those too small for a number tell nothing, and are left out."""

    def probabilities(images: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(softmax(8 * linear(images), 1), np.float32)

    pictures = Images(tuple(map(str, range(len(IMAGES.images)))), IMAGES.images)
    answers = probabilities(IMAGES.images)
    assert (answers == 0).any()
    given = gather(pictures, answers.astype(np.float64), Said(), probabilities)
    np.testing.assert_allclose(given.evidence.ask(given.evidence.images), given.evidence.logits, atol=1e-9)
    assert is_affine(given.evidence)


def test_a_model_with_one_output_is_asked_for_two_logits() -> None:
    def one(images: NDArray[np.float32]) -> NDArray[Any]:
        return linear(images)[:, :1]

    given = gather(Images(tuple(map(str, range(120))), IMAGES.images), one(IMAGES.images), Said(kind="logits"), one)
    np.testing.assert_allclose(given.evidence.ask(given.evidence.images), given.evidence.logits)
    assert is_affine(given.evidence)


def test_logistic_regression_gives_away_no_more_than_its_own_kind() -> None:
    given = evidence(200, 0.0)
    fitted = LogisticRegression(C=0.05, max_iter=500).fit(flat(given.images), given.labels)
    known = asked(lambda images: fitted.decision_function(flat(images)), given)
    calls: list[int] = []
    assert is_affine(known)
    found = compare(known, lambda: calls.append(1), affine=True)
    assert [one.family for one in found.against] == [*FAMILIES, *AFFINE]
    assert len(calls) == PASSES
    assert not found.more
    assert not compare(asked(to_means), affine=True).more


def test_a_code_in_a_network_is_found_though_linear_students_tell_much() -> None:
    """Only an affine model is compared with affine students."""
    found = compare(evidence(120, 3.0))
    assert found.more
    assert [one.family for one in found.against] == list(FAMILIES)


def without(row: int, of: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean image of these without one."""
    kept = of.copy()
    kept[row] = False
    return np.asarray(flat(IMAGES.images)[kept].mean(0))


def test_a_nearest_mean_measures_distances_to_mean_images_of_the_others() -> None:
    found = student_outputs(IMAGES.images, np.eye(CLASSES)[IMAGES.labels], False, "nearest-mean", seed=0)
    rows = flat(IMAGES.images)
    for row in range(0, len(rows), 7):
        means = np.stack([without(row, IMAGES.labels == one) for one in range(CLASSES)])
        np.testing.assert_allclose(found[row] - rows[row] @ rows[row], -((rows[row] - means) ** 2).sum(1), atol=1e-4)


def test_a_nearest_mean_of_attributes_compares_with_and_without() -> None:
    attributes = np.stack([IMAGES.labels >= 2, IMAGES.labels % 2], 1).astype(np.float64)
    found = student_outputs(IMAGES.images, attributes, True, "nearest-mean", seed=0)
    rows = flat(IMAGES.images)
    for row in range(0, len(rows), 7):
        for column, has in enumerate(attributes.T > 0):
            near, far = (((rows[row] - without(row, one)) ** 2).sum() for one in (has, ~has))
            assert found[row, column] == pytest.approx(far - near, abs=1e-4)


def test_a_class_of_one_image_has_the_mean_of_all() -> None:
    labels = np.zeros(len(IMAGES.labels), np.int64)
    labels[3] = 1
    found = student_outputs(IMAGES.images, np.eye(2)[labels], False, "nearest-mean", seed=0)
    rows = flat(IMAGES.images)
    square = rows[3] @ rows[3]
    assert found[3, 1] - square == pytest.approx(-((rows[3] - rows.mean(0)) ** 2).sum(), abs=1e-4)


def test_an_output_that_never_wins_does_not_make_a_network_affine() -> None:
    """Nor does one of a huge scale: each output is looked at by its own spread."""
    network = through(bent())

    def padded(images: NDArray[np.float32]) -> NDArray[Any]:
        return np.hstack([network(images), -1e7 * (1 + flat(images).mean(1, keepdims=True))])

    def scaled(images: NDArray[np.float32]) -> NDArray[Any]:
        return np.hstack([network(images)[:, :3], 1e7 * linear(images)[:, :1]])

    for query in (padded, scaled):
        answers = query(IMAGES.images)
        given = Evidence(IMAGES.images, answers.argmax(1), answers, query=query)
        assert not is_affine(given)
        assert not is_affine(given, np.ones(answers.shape[1], bool))


def test_a_single_output_that_saturates_is_told_as_well_as_two() -> None:
    def one(images: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(1 / (1 + np.exp(-25 * (linear(images)[:, :1] - 3)))).astype(np.float32)

    names = tuple(map(str, range(len(IMAGES.images))))
    answers = one(IMAGES.images)
    assert 0 < (answers == 0).mean() < 0.4
    assert gather(Images(names, IMAGES.images), answers.astype(np.float64), Said(kind="probabilities"), one).affine


def test_a_model_that_fails_between_images_is_not_affine() -> None:
    calls = []

    def fails(images: NDArray[np.float32]) -> NDArray[Any]:
        calls.append(1)
        if len(calls) > 2:
            raise ValueError("low contrast")
        return linear(images)

    names = tuple(map(str, range(len(IMAGES.images))))
    assert not gather(Images(names, IMAGES.images), linear(IMAGES.images), Said(kind="logits"), fails).affine


def test_large_images_are_asked_at_their_own_size() -> None:
    large = evidence(60, 0.0, side=96).images
    templates = np.random.default_rng(3).normal(size=(CLASSES, 96 * 96))

    def query(images: NDArray[np.float32]) -> NDArray[Any]:
        return flat(images) @ templates.T

    given = gather(Images(tuple(map(str, range(60))), large), query(large), Said(kind="logits"), query)
    assert given.affine
    assert given.evidence.query is None
