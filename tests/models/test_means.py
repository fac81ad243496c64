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


def test_a_larger_budget_of_a_fit_is_one_setting() -> None:
    usual = model("attack", "kernel_ridge", {"landmarks": 5})
    assert usual.larger(3) == usual.changed(landmarks=15)
    assert usual.larger(1) is usual


def test_what_is_trained_is_trained_for_longer() -> None:
    for name, settings in (("mirror", {"depth": 10, "width": 1}), ("components", {"epochs": 5})):
        usual = model("attack", name, settings)
        assert usual.larger(2) is usual
    assert [Means(images=count).longer(20_000) for count in (500, 4000, 15_000, 30_000)] == [40, 5, 1, 1]
    assert STUDYS.longer(20_000) == 1


def test_what_is_exact_cannot_compute_more() -> None:
    assert not can_compute_more("linear_ridge")
    assert can_compute_more("mirror")
    assert can_compute_more("kernel_ridge")
