"""The learning rate of each step, against values by hand and the shape of PyTorch's own scheduler."""

from math import pi, sin

import pytest
import torch

from vicious.training.rate import learning_rate, one_cycle


def test_a_constant_rate_is_the_schedules_own() -> None:
    assert {learning_rate("constant", 0.002, done, 7) for done in range(7)} == {0.002}


def test_one_cycle_has_the_values_of_a_count_by_hand() -> None:
    found = [learning_rate("one_cycle", 0.003, done, 10) for done in range(10)]
    # places .05, .15, .25 of a rise that takes .3; then .35, .45, ... of a fall that takes .7
    rise = [0.003 / 6, 0.003 / 2, 0.003 * 5 / 6]
    fall = [0.0015 * (1 + sin(pi / 2 - pi * (0.05 + 0.1 * step) / 0.7)) for step in range(7)]
    assert found == pytest.approx([*rise, *fall], rel=1e-12)
    assert found[3] == pytest.approx(0.003 * 0.98746, rel=1e-5)
    assert found[9] == pytest.approx(0.003 * 0.01254, rel=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 17])
def test_every_step_changes_something_however_few_there_are(steps: int) -> None:
    found = [learning_rate("one_cycle", 1.0, done, steps) for done in range(steps)]
    assert all(0 < rate <= 1 for rate in found)
    assert max(found) > 0.4


def test_with_many_steps_it_falls_as_pytorchs_scheduler_does() -> None:
    steps = 2000
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=steps, pct_start=0.3, div_factor=1e9, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    found = [learning_rate("one_cycle", 1.0, done, steps) for done in range(steps)]
    assert found[600:] == pytest.approx(expected[600:], abs=2e-3)
    assert one_cycle(0.15) == pytest.approx(expected[300], abs=2e-3)
