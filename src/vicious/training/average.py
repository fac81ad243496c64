"""A moving average of a module's weights, which is validated and saved in their place.

After n steps the average of a number x with the decay d is sum_i d^(n-i) x_i / sum_i d^(n-i) over the steps i = 1 to n:
Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with weights that fade, and the
correction that Adam has for its moments (Kingma and Ba, 2015, section 3), so that initial weights do not count.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vicious.training.adam import Adam


class Averaged(Adam):
    """Adam, with an average of all that its module holds as floating-point numbers.

    So the running means and variances of a batch normalisation are averaged like weights. What counts batches is not
    averaged, and constants stay what they are to the bit.

    Args:
        module, rate, decay, varies: as for :class:`Adam`.
        average: the decay d of the average, in (0, 1).
    """

    def __init__(self, module: nn.Module, rate: float, decay: float, varies: bool, average: float) -> None:
        super().__init__(module, rate, decay, varies)
        self._kept = average
        self._own = {name: each for name, each in module.state_dict().items() if each.is_floating_point()}
        self._averages = {name: each.clone() for name, each in self._own.items()}
        self._count = torch.zeros((), dtype=torch.float64, device=self.weights[0].device)

    @torch.no_grad()
    def step(self) -> None:
        super().step()
        self._count += 1
        share = ((1 - self._kept) / (1 - self._kept**self._count)).float()  # of the newest; of the first one all
        for name, each in self._own.items():
            self._averages[name].lerp_(each, share)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the module holds the averages; afterwards its own weights again."""
        before = {name: each.clone() for name, each in self._own.items()}
        self._show(self._averages)
        try:
            yield
        finally:
            self._show(before)

    @torch.no_grad()
    def _show(self, values: dict[str, Tensor]) -> None:
        for name, each in self._own.items():
            each.copy_(values[name])

    def state(self) -> dict[str, Tensor]:
        averages = {f"average/{name}": each for name, each in self._averages.items()}
        return super().state() | averages | {"averaged": self._count}
