"""The average of weights, against a plain loop."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from vicious.training.adam import Adam
from vicious.training.average import Averaged

STEPS = 6


def network() -> nn.Module:
    torch.manual_seed(3)
    made = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    made.register_buffer("still", torch.tensor([0.1, 1 / 3]))
    return made


def train(net: nn.Module, optimiser: Adam, steps: int = STEPS, seed: int = 0) -> list[dict[str, torch.Tensor]]:
    """What the module holds after each step."""
    generator, held = torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        functional.mse_loss(net(torch.rand(5, 2, 6, 6, generator=generator)), torch.ones(5, 3)).backward()
        optimiser.step()
        optimiser.zero_grad()
        held.append({name: value.clone() for name, value in net.state_dict().items()})
    return held


def averaged(decay: float) -> tuple[nn.Module, Averaged]:
    net = network()
    return net, Averaged(net, 1e-2, 0.0, varies=False, average=decay)


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_the_average_is_that_of_a_plain_loop(decay: float) -> None:
    net, optimiser = averaged(decay)
    held = train(net, optimiser)
    powers = decay ** np.arange(STEPS)[::-1]
    with optimiser.shown():
        for name, value in net.state_dict().items():
            every = np.array([one[name].double().numpy() for one in held])
            expected = np.tensordot(powers / powers.sum(), every, 1) if value.is_floating_point() else every[-1]
            np.testing.assert_allclose(value.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_steps_and_weights_are_those_of_plain_adam_and_constants_stay() -> None:
    net, optimiser = averaged(0.9)
    found = train(net, optimiser)
    plain = network()
    expected = train(plain, Adam(plain, 1e-2))
    with optimiser.shown():
        assert torch.equal(net.get_buffer("still"), plain.get_buffer("still"))
        assert not torch.equal(net.state_dict()["0.weight"], expected[-1]["0.weight"])
    for one, other in zip([*found, net.state_dict()], [*expected, expected[-1]], strict=True):
        assert all(torch.equal(one[name], other[name]) for name in other)


def test_an_error_while_averages_are_shown_leaves_the_own_weights() -> None:
    net, optimiser = averaged(0.9)
    before = train(net, optimiser)[-1]
    with pytest.raises(KeyError), optimiser.shown():
        raise KeyError
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_restored_it_goes_on_as_if_never_interrupted() -> None:
    def end(net: nn.Module, optimiser: Any) -> dict[str, torch.Tensor]:
        train(net, optimiser, seed=1)
        with optimiser.shown():
            return {name: value.clone() for name, value in net.state_dict().items()}

    net, first = averaged(0.9)
    train(net, first)
    state = {name: value.clone() for name, value in first.state().items()}
    second = Averaged(net, 1e-2, 0.0, varies=False, average=0.9)
    second.restore(state)
    other, whole = averaged(0.9)
    train(other, whole)
    found, expected = end(net, second), end(other, whole)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
