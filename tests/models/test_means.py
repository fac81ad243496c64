"""What an attacker has: a name that says it, and is read back."""

import pytest

from vicious.models.architecture import can_compute_more, model
from vicious.models.means import STUDYS, Means, parse_means
from vicious.system.errors import DataError

EVERY = (STUDYS, Means(2), Means(images=500), Means(of="fashion_mnist"), Means(3, 40, "cifar10"), Means(2, of="mnist"))


@pytest.mark.parametrize("means", EVERY, ids=str)
def test_a_name_is_read_back(means: Means) -> None:
    assert parse_means(str(means)) == means


def test_names_differ() -> None:
    assert len({str(means) for means in EVERY}) == len(EVERY)
    assert str(STUDYS) == ""


@pytest.mark.parametrize(
    "name", ["budget", "images-5", "of_", "2", "budget2 images5", "OF_mnist", "budget" + "9" * 5000]
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="does not name an attacker's means"):
        parse_means(name)


@pytest.mark.parametrize(
    ("name", "settings", "budget"),
    [
        ("conditioned", {"depth": 10, "width": 1, "epochs": 5}, "epochs"),
        ("components", {"epochs": 5}, "epochs"),
        ("kernel_ridge", {"landmarks": 5}, "landmarks"),
    ],
)
def test_a_larger_budget_is_one_setting(name: str, settings: dict[str, object], budget: str) -> None:
    usual = model("attack", name, settings)
    larger = usual.larger(3)
    assert getattr(larger.settings, budget) == 15
    assert larger.changed(**{budget: 5}) == usual
    assert usual.larger(1) is usual


def test_what_is_exact_cannot_compute_more() -> None:
    assert not can_compute_more("linear_ridge")
    assert can_compute_more("mirror")
    assert can_compute_more("kernel_ridge")
    mirror = model("attack", "mirror", {"depth": 10, "width": 1})
    assert mirror.larger(2) is mirror, "the study's schedule is its budget"
