"""What the three kinds of training minimise, and by what an epoch is selected."""

from typing import Literal

import torch
from torch import Generator, Tensor, nn

from vicious.data.batches import EVALUATION_BATCH, Held
from vicious.data.splits import Split
from vicious.metrics.answers import correct
from vicious.metrics.measures.mse import squared_error
from vicious.metrics.measures.ssim import similarity
from vicious.mitigations import parse_outputs, readable, transmit
from vicious.models.architecture import Model
from vicious.models.fitting import Pairs
from vicious.models.precision import forward
from vicious.models.schedule import Schedule
from vicious.system.interrupt import check
from vicious.system.randomness import derive_seed
from vicious.system.settings import Precision
from vicious.training.loop import below
from vicious.training.losses import OF_IMAGES, classification_loss, reconstruction_loss
from vicious.training.objective import Objective
from vicious.training.penalty import new_penalty
from vicious.training.recipe import Recipe


class Honest(Objective):
    """The classification loss alone.

    Args:
        positive_weight: as :func:`~vicious.training.losses.classification_loss` takes it.
    """

    def __init__(self, target: nn.Module, positive_weight: Tensor | None, how: Recipe, precision: Precision) -> None:
        super().__init__({"target": target}, precision)
        self.weight_decay = how.weight_decay
        self._target, self._weight, self._smoothing = target, positive_weight, how.label_smoothing

    def loss(self, rows: Tensor, labels: Tensor, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = forward(self._target, rows, self.precision)
        return classification_loss(logits, labels, self._weight, self._smoothing), {}

    def validate(self, images: Tensor, labels: Tensor, index: Tensor) -> dict[str, Tensor]:
        return {"accuracy": correct(self._target(images), labels)}


class _Attack(Objective):
    """What an attack model reads of a target model's outputs.

    Args:
        modules: whose weights change.
        outputs: what the user sends back; noise in it is drawn anew, and the same, for each epoch's number.
        multilabel: the target model's outputs are attributes.
    """

    def __init__(
        self,
        target: nn.Module,
        attack: nn.Module,
        modules: dict[str, nn.Module],
        outputs: str,
        multilabel: bool,
        schedule: Schedule,
    ) -> None:
        super().__init__(modules, schedule.precision)
        self._target, self._attack = target, attack
        self._outputs, self._multilabel, self._schedule = outputs, multilabel, schedule
        self._noise = Generator()
        self.repeatable = not parse_outputs(outputs).mitigation.random

    def begin(self, epoch: int) -> None:
        self._noise.manual_seed(derive_seed(self._schedule.seed, "noise", epoch))

    def carried(self) -> dict[str, Tensor]:
        return {"noise": self._noise.get_state()}

    def restore(self, carried: dict[str, Tensor]) -> None:
        self._noise.set_state(carried["noise"])

    def _steal(self, logits: Tensor, precision: Precision = "float32") -> Tensor:
        sent = transmit(logits, self._outputs, self._multilabel, self._noise)
        return forward(self._attack, readable(sent, self._outputs), precision)

    def _quality(self, logits: Tensor, images: Tensor) -> dict[str, Tensor]:
        stolen = self._steal(logits)
        return {"ssim": similarity(stolen, images), "mse": squared_error(stolen, images)}


class PostHoc(_Attack):
    """The reconstruction loss alone, of what an attack model reads of a frozen target model.

    The target model answers in float32, as it does the users. It is asked once for images that come more than once.

    Args:
        outputs, multilabel: as for both attacks.
        model: what the attack model is, which says what loss it is trained on, and whether it is conditioned.
    """

    def __init__(
        self, target: nn.Module, attack: nn.Module, outputs: str, multilabel: bool, schedule: Schedule, model: Model
    ) -> None:
        super().__init__(target, attack, {"attack": attack}, outputs, multilabel, schedule)
        self._model = model
        self._known: dict[str, Tensor] = {}

    def open(self, train: Held, validation: Held, passes: float) -> None:
        if passes > 1 or self._model.conditioned:
            self._known = {"train": self._all_answers(train), "validation": self._all_answers(validation)}
        if self._model.conditioned:
            self._model.condition(self._attack, self._pairs(train, self._known["train"]))

    def loss(self, rows: Tensor, labels: Tensor, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self._answers(rows, index, "train")
        return OF_IMAGES[self._model.loss](self._steal(logits, self.precision), rows), {}

    def validate(self, images: Tensor, labels: Tensor, index: Tensor) -> dict[str, Tensor]:
        return self._quality(self._answers(images, index, "validation"), images)

    def pairs(self, held: Held) -> Pairs:
        """What the attack model reads of all images of a split, beside these images, on the CPU."""
        return self._pairs(held, self._all_answers(held))

    def _pairs(self, held: Held, logits: Tensor) -> Pairs:
        """The same, of the target model's logits (N, K) of these images."""
        self.begin(0)
        sent = transmit(logits, self._outputs, self._multilabel, self._noise)
        images = [batch.images.mul(255).round().to(torch.uint8).flatten(1) for batch in held.batches(EVALUATION_BATCH)]
        kind = parse_outputs(self._outputs)
        bare: Literal["classes", "attributes"] | None = None
        if kind.plain and kind.mitigation.probabilities:
            bare = "attributes" if self._multilabel else "classes"
        return Pairs(readable(sent, self._outputs).cpu(), torch.cat(images).cpu(), bare)

    def _answers(self, rows: Tensor, index: Tensor, split: Split) -> Tensor:
        """Logits (N, K) of rows (N, C, 32, 32), of which the first are the split's images ``index`` (n,)."""
        if split not in self._known or len(index) == 1:  # one copy alone would be summed in another order
            return self._asked(rows)
        known, others = self._known[split][index], rows[len(index) :]
        return torch.cat([known, self._asked(others)]) if len(others) else known

    @torch.no_grad()
    def _asked(self, images: Tensor) -> Tensor:
        logits: Tensor = self._target(images)
        return logits

    def _all_answers(self, held: Held) -> Tensor:
        """Logits (N, K) of all images of a split."""
        found = []
        for images, *_ in held.batches(EVALUATION_BATCH):
            found.append(self._asked(torch.cat([images, images]) if len(images) == 1 else images)[: len(images)])
            check()
        return torch.cat(found)


class Joint(_Attack):
    """Both losses with their weights, and a penalty whose weight grows from 0 in the first epoch to its full size.

    Args:
        positive_weight: as :func:`~vicious.training.losses.classification_loss` takes it.
        beta_c, beta_r: weights of the two losses; with ``beta_c`` 0 labels are not used.
        evasion, evades: full weight of the penalty, 0 for none, and its name (:mod:`vicious.training.penalties`).
    """

    def __init__(
        self,
        target: nn.Module,
        attack: nn.Module,
        outputs: str,
        multilabel: bool,
        schedule: Schedule,
        *,
        positive_weight: Tensor | None,
        beta_c: float,
        beta_r: float,
        evasion: float,
        evades: str,
    ) -> None:
        super().__init__(target, attack, {"target": target, "attack": attack}, outputs, multilabel, schedule)
        self.last = evasion > 0
        self.repeatable = self.repeatable and evasion == 0
        self._weight, self._beta_c, self._beta_r = positive_weight, beta_c, beta_r
        self._evasion, self._evades = evasion, evades

    def loss(self, rows: Tensor, labels: Tensor, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = forward(self._target, rows, self.precision)
        task = classification_loss(logits, labels, self._weight)
        theft = reconstruction_loss(self._steal(logits, self.precision), rows)
        total = self._beta_r * theft if self._beta_c == 0 else self._beta_c * task + self._beta_r * theft
        terms = {"classification": task.detach(), "reconstruction": theft.detach()}
        if self._evasion == 0:
            return total, terms
        found = self._penalty(logits, labels, rows)
        return total + self._strength * found, {**terms, self._evades: found.detach()}

    def validate(self, images: Tensor, labels: Tensor, index: Tensor) -> dict[str, Tensor]:
        logits = self._target(images)
        return self._quality(logits, images) | ({"accuracy": correct(logits, labels)} if self._beta_c > 0 else {})

    def begin(self, epoch: int) -> None:
        super().begin(epoch)
        last = self._schedule.epochs - 1
        self._penalty, self._strength = new_penalty(self._evades), self._evasion * (epoch / last if last > 0 else 1)

    def carried(self) -> dict[str, Tensor]:
        return super().carried() | {f"penalty/{key}": each for key, each in self._penalty.carried().items()}

    def restore(self, carried: dict[str, Tensor]) -> None:
        super().restore(carried)
        self._penalty.restore({key: each.to(self.device) for key, each in below(carried, "penalty/").items()})
