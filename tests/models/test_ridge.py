"""Attack models that are fitted in closed form, against scikit-learn."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from vicious.models import fitting
from vicious.models.architecture import model
from vicious.models.decoders import _ridge
from vicious.models.fitting import Pairs

IMAGES, JUDGED, LENGTH = 60, 25, 4


def pairs(count: int, seed: int) -> Pairs:
    """Images whose pixels follow what is read, not linearly, with noise."""
    generator = torch.Generator().manual_seed(seed)
    read = 3 * torch.randn(count, LENGTH, generator=generator) + 5
    mixing = torch.randn(LENGTH, 1024, generator=torch.Generator().manual_seed(0))
    pixels = 0.5 + 0.2 * torch.sin(read @ mixing / 4) + 0.02 * torch.randn(count, 1024, generator=generator)
    return Pairs(read, (255 * pixels).clamp(0, 255).round().to(torch.uint8))


def fitted(name: str, settings: dict[str, Any], train: Pairs, validation: Pairs) -> tuple[Any, list[Any]]:
    one, told = model("attack", name, settings), []
    network = one.build(1, LENGTH)
    assert one.fitted
    one.fit(network, train, validation, 0, lambda done, every: told.append((done, every)))
    return network, told


@pytest.fixture
def one_choice(monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """One penalty and one width, so that there is nothing to choose."""
    for module in (fitting, _ridge):
        monkeypatch.setattr(module, "PENALTIES", (1e-3,))
        monkeypatch.setattr(module, "WIDTHS", (2.0,))
    return 1e-3, 2.0


def standardised(train: Pairs, read: Any) -> Any:
    values = train.read.double().numpy()
    return (read.double().numpy() - values.mean(0)) / values.std(0)


def test_the_linear_one_is_scikit_learns(one_choice: tuple[float, float]) -> None:
    train, validation = pairs(IMAGES, 1), pairs(JUDGED, 2)
    network, _ = fitted("linear_ridge", {}, train, validation)
    ridge = Ridge(alpha=one_choice[0] * IMAGES).fit(standardised(train, train.read), train.pixels().numpy())
    expected = ridge.predict(standardised(train, validation.read)).clip(0, 1)
    np.testing.assert_allclose(network(validation.read).detach().flatten(1).numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("landmarks", [IMAGES, 500], ids=["as many as images", "more than images"])
def test_the_kernels_one_is_scikit_learns_where_all_images_are_landmarks(
    one_choice: tuple[float, float], landmarks: int
) -> None:
    train, validation = pairs(IMAGES, 1), pairs(JUDGED, 2)
    network, _ = fitted("kernel_ridge", {"landmarks": landmarks, "kernel_components": 1024}, train, validation)
    x = standardised(train, train.read)
    squares = ((x[:, None] - x) ** 2).sum(2)[np.triu_indices(IMAGES, 1)]
    gamma = 1 / (2 * one_choice[1] * np.sort(squares)[(len(squares) - 1) // 2])
    mean = train.pixels().numpy().mean(0)
    ridge = KernelRidge(alpha=one_choice[0] * IMAGES, kernel="rbf", gamma=gamma).fit(x, train.pixels().numpy() - mean)
    expected = (mean + ridge.predict(standardised(train, validation.read))).clip(0, 1)
    np.testing.assert_allclose(network(validation.read).detach().flatten(1).numpy(), expected, atol=1e-5)


def test_with_fewer_landmarks_it_is_nystroms_least_squares(one_choice: tuple[float, float]) -> None:
    train, validation = pairs(IMAGES, 1), pairs(JUDGED, 2)
    network, _ = fitted("kernel_ridge", {"landmarks": 20, "kernel_components": 1024}, train, validation)
    middle, width = network.landmarks.double().numpy(), float(network.width)

    def near(rows: Any) -> Any:
        return np.exp(-((rows[:, None] - middle) ** 2).sum(2) / (2 * width))

    mean, k = train.pixels().numpy().mean(0), near(standardised(train, train.read))
    left = k.T @ k + one_choice[0] * IMAGES * near(middle)
    weights = np.linalg.solve(left, k.T @ (train.pixels().numpy() - mean))
    expected = (mean + near(standardised(train, validation.read)) @ weights).clip(0, 1)
    np.testing.assert_allclose(network(validation.read).detach().flatten(1).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(("name", "settings"), [("linear_ridge", {}), ("kernel_ridge", {"landmarks": 40})])
def test_validation_images_choose_what_is_best_for_them(
    name: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = pairs(IMAGES, 1), pairs(JUDGED, 2)

    def error() -> float:
        network, told = fitted(name, settings, train, validation)
        assert told == [(number, len(told)) for number in range(1, len(told) + 1)]
        images = network(validation.read).detach().flatten(1).double()
        return float((images - validation.pixels()).square().mean())

    chosen, single = error(), []
    for penalty in (1e-8, 1e-5, 1e-2, 1.0):
        for module in (fitting, _ridge):
            monkeypatch.setattr(module, "PENALTIES", (penalty,))
        monkeypatch.setattr("vicious.models.decoders.linear_ridge.PENALTIES", (penalty,))
        single.append(error())
    assert chosen == pytest.approx(min(chosen, *single), rel=1e-6)
    assert max(single) > chosen


def test_constant_and_repeated_outputs_are_no_obstacle() -> None:
    train = pairs(IMAGES, 1)
    still = Pairs(torch.ones(IMAGES, LENGTH), train.images)
    for name in ("linear_ridge", "kernel_ridge"):
        network, _ = fitted(name, {"landmarks": 30} if name == "kernel_ridge" else {}, still, still)
        images = network(still.read[:3]).detach().flatten(1).double()
        torch.testing.assert_close(images, train.pixels().mean(0).expand(3, -1), atol=1e-3, rtol=0)
