"""Against the recommended rule: what outputs tell of images beyond what an honest student's tell.

The rule (:mod:`vicious.defense.excess`) compares a model's leak with that of students who learnt its labels from a
user's images. So the server trains a student beside its own model, on the same batches and the true labels, and pays
only for what it leaks beyond :data:`AIM` of the student's leak: it gives away no more image quality than that takes.
The student is the perceptron, which leaked more than the convolutional family in all 162 comparisons of
benchmarks/evading.py. It answers for a batch before it learns from it, and begins anew in each epoch, as penalties do:
a user's student sees few images, too.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vicious.system.randomness import derive_seed
from vicious.training.loop import below
from vicious.training.penalties.kernel_decodability import KernelDecodability

AIM = 0.8
"""Share of the student's leak that is aimed at. It leaves a margin: a user's students see fewer images, and may leak
less."""
HIDDEN = 256
RATE, MOMENTUM = 0.02, 0.9
AGAIN = 10
"""Batches after which the student's leak is measured anew."""


class AboveStudents:
    """The leak above that level, batch after batch; the student begins anew with each object."""

    def __init__(self) -> None:
        self._leak, self._level, self._calls = KernelDecodability(), 0.0, 0
        self._student: nn.Sequential | None = None
        self._moments: dict[str, Tensor] = {}

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """The difference, a scalar in [0, 1] with a gradient. Shapes as :class:`KernelDecodability` takes them."""
        student = self._made(images, logits.shape[1])
        with torch.enable_grad():
            answers = student(images.float())
        share = self._leak(logits, labels, images, answers.detach())
        if self._calls % AGAIN == 0:
            self._level = AIM * self._leak.of_others()
        self._calls += 1
        self._learn(student, answers, labels)
        return (share - self._level).clamp_min(0)

    def _made(self, images: Tensor, outputs: int) -> nn.Sequential:
        if self._student is None:
            inside = images[0].numel()
            generator = torch.Generator().manual_seed(derive_seed(0, "student beside a vicious server"))
            first, last = _layers((inside, HIDDEN, outputs))
            with torch.no_grad():
                for layer in (first, last):
                    drawn = torch.randn(layer.weight.shape, generator=generator) / layer.in_features**0.5
                    layer.weight.copy_(drawn)
                    layer.bias.zero_()
            self._student = nn.Sequential(nn.Flatten(), first, nn.ReLU(), last).to(images.device)
        return self._student

    def _learn(self, student: nn.Sequential, answers: Tensor, labels: Tensor) -> None:
        """One step of stochastic gradient descent with momentum on the student's own loss."""
        loss = (
            functional.cross_entropy(answers, labels)
            if labels.ndim == 1
            else functional.binary_cross_entropy_with_logits(answers, labels.float())
        )
        named = dict(student.named_parameters())
        gradients = torch.autograd.grad(loss, list(named.values()))
        with torch.no_grad():
            for (name, weight), gradient in zip(named.items(), gradients, strict=True):
                moment = gradient + MOMENTUM * self._moments[name] if name in self._moments else gradient
                self._moments[name] = moment
                weight.sub_(RATE * moment)

    def carried(self) -> dict[str, Tensor]:
        if self._student is None:
            return {}
        return {
            **{f"leak/{name}": each for name, each in self._leak.carried().items()},
            **{f"student/{name}": each.detach().clone() for name, each in self._student.named_parameters()},
            **{f"moments/{name}": each for name, each in self._moments.items()},
            "calls": torch.tensor(self._calls),
            "level": torch.tensor(self._level, dtype=torch.float64),
        }

    def restore(self, carried: dict[str, Tensor]) -> None:
        if not carried:
            return
        self._leak.restore(below(carried, "leak/"))
        self._moments = below(carried, "moments/")
        weights = below(carried, "student/")
        self._calls, self._level = int(carried["calls"]), float(carried["level"])
        (outside, inside), outputs = weights["1.weight"].shape, len(weights["3.bias"])
        first, last = _layers((inside, outside, outputs))
        self._student = nn.Sequential(nn.Flatten(), first, nn.ReLU(), last).to(weights["1.weight"].device)
        self._student.load_state_dict(weights)


def _layers(sizes: tuple[int, int, int]) -> tuple[nn.Linear, nn.Linear]:
    """Two layers, whose initial weights are not drawn from the generator that all share."""
    inside, hidden, outputs = sizes
    with torch.random.fork_rng(devices=[]):
        return nn.Linear(inside, hidden), nn.Linear(hidden, outputs)


PENALTY = AboveStudents
