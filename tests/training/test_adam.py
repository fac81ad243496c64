"""Adam against PyTorch's optimiser classes."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from vicious.training.adam import Adam

STEPS = 7


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def unused() -> nn.Module:
    """A network with weights that get no gradient."""
    net = network()
    net.register_parameter("spare", nn.Parameter(torch.ones(5)))
    return net


def train(net: nn.Module, optimiser: Any, steps: int = STEPS, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimiser.zero_grad()
        functional.mse_loss(net(torch.rand(5, 2, 6, 6, generator=generator)), torch.ones(5, 3)).backward()
        optimiser.step()
    return [weight.detach().clone() for weight in net.parameters()]


@pytest.mark.parametrize("build", [network, unused])
def test_steps_are_those_of_torch_to_the_bit(build: Any) -> None:
    net, reference = build(), build()
    found = train(net, Adam(net, 1e-2))
    expected = train(reference, torch.optim.Adam(reference.parameters(), lr=1e-2))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert not torch.equal(found[-1], list(build().parameters())[-1])


@pytest.mark.parametrize("build", [network, unused])
def test_decayed_steps_are_those_of_torch_to_the_bit(build: Any) -> None:
    net, reference = build(), build()
    found = train(net, Adam(net, 1e-2, 0.1))
    expected = train(reference, torch.optim.AdamW(reference.parameters(), lr=1e-2, weight_decay=0.1))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


RATES = (1e-2, 3e-2, 2e-3, 1e-4)


def paced(net: nn.Module, optimiser: Any, pace: Any) -> list[torch.Tensor]:
    for index, rate in enumerate(RATES):
        pace(rate)
        train(net, optimiser, steps=1, seed=index)
    return [weight.detach().clone() for weight in net.parameters()]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_rate_that_changes_makes_the_steps_of_torch_to_the_bit(decay: float) -> None:
    net, reference = network(), network()
    own = Adam(net, 1.0, decay, varies=True)
    theirs = torch.optim.AdamW(reference.parameters(), lr=1.0, weight_decay=decay)
    found = paced(net, own, own.pace)
    expected = paced(reference, theirs, lambda rate: theirs.param_groups[0].update(lr=rate))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_rate_in_memory_as_on_a_gpu_makes_the_same_steps() -> None:
    found = []
    for rate in (1.0, torch.tensor(1.0)):
        net = network()
        own = Adam(net, 1.0)
        own._fused, own.rate = True, rate
        found.append(paced(net, own, own.pace))
        assert own.rate == pytest.approx(RATES[-1])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-4)  # the rate is rounded to float32


def test_restored_it_goes_on_as_if_never_interrupted() -> None:
    net, reference = network(), network()
    first = Adam(net, 1e-2)
    train(net, first)
    state = {name: value.clone() for name, value in first.state().items()}
    second = Adam(net, 1e-2)
    second.restore(state)
    whole = Adam(reference, 1e-2)
    train(reference, whole)
    for one, other in zip(train(net, second, seed=1), train(reference, whole, seed=1), strict=True):
        assert torch.equal(one, other)


def test_the_state_of_another_module_is_refused() -> None:
    with pytest.raises(KeyError):
        Adam(unused(), 1e-2).restore(Adam(network(), 1e-2).state())


def test_training_and_detectors_load_neither_the_compiler_nor_torchvision_before_they_augment() -> None:
    code = """
import sys
import numpy as np
import torch
from torch import nn
from vicious.defense.evaluation import evaluate
from vicious.defense.detectors.own_decoder import _training
from vicious.training import jobs
from vicious.training.adam import Adam
net = nn.Linear(16, 4)
optimiser = Adam(net, 0.1)
optimiser.zero_grad()
net(torch.rand(20, 1, 16, 16)).sum().backward()
optimiser.step()
list(_training(np.eye(9), np.eye(9), np.eye(9), torch.Generator()))
print([name for name in ("torch._dynamo", "sympy", "torchvision") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
