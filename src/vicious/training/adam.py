"""Adam by PyTorch's own arithmetic, without its optimiser classes.

At their first step these load PyTorch's compiler, which takes longer than a small training; nothing here uses it.
"""

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015) over all weights of a module.

    Steps are those of :class:`torch.optim.Adam`, to the bit; with ``decay`` those of :class:`torch.optim.AdamW`
    (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019). On a GPU all weights change in one kernel.

    Args:
        rate: learning rate.
        decay: share of each weight that a step takes off, times ``rate``.
        varies: :meth:`pace` will change the rate. On a GPU it is then in its memory, where a recorded step finds it.
    """

    def __init__(self, module: nn.Module, rate: float, decay: float = 0.0, varies: bool = False) -> None:
        self.weights = list(module.parameters())
        self._fused = self.weights[0].is_cuda
        held = varies and self._fused
        self.rate: float | Tensor = torch.tensor(rate, device=self.weights[0].device) if held else rate
        self.decay = decay
        counts = self.weights[0].device if self._fused else torch.device("cpu")
        self._steps = [torch.tensor(0.0, device=counts) for _ in self.weights]
        self._first, self._second = ([torch.zeros_like(weight) for weight in self.weights] for _ in range(2))

    def pace(self, rate: float) -> None:
        """Take this learning rate from now on."""
        if isinstance(self.rate, Tensor):
            self.rate.fill_(rate)
        else:
            self.rate = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change each weight that has a gradient."""
        moved = [index for index, weight in enumerate(self.weights) if weight.grad is not None]
        weights, first, second, steps = (
            [each[index] for index in moved] for each in (self.weights, self._first, self._second, self._steps)
        )
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        adam(
            *(weights, gradients, first, second, [], steps),
            lr=self.rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            eps=EPSILON,
            weight_decay=self.decay,
            decoupled_weight_decay=True,
            amsgrad=False,
            maximize=False,
            fused=self._fused,
        )

    def state(self) -> dict[str, Tensor]:
        """Both moments and the number of steps of each weight, by name: what a resumed training takes over."""
        kinds = {"step": self._steps, "first": self._first, "second": self._second}
        return {f"{index}/{kind}": value for kind, values in kinds.items() for index, value in enumerate(values)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a :meth:`state`.

        Raises:
            KeyError: it is of another module.
        """
        for name, value in self.state().items():
            value.copy_(state[name])
