"""What the three kinds of training minimise, and by what an epoch is selected."""

import torch
from torch import Generator, Tensor, nn

from vicious.metrics.answers import correct
from vicious.metrics.measures.mse import squared_error
from vicious.metrics.measures.ssim import similarity
from vicious.mitigations import readable, transmit
from vicious.system.randomness import derive_seed
from vicious.training.loop import Objective, Row, Schedule, below
from vicious.training.losses import classification_loss, reconstruction_loss
from vicious.training.penalty import new_penalty
from vicious.training.recipe import Recipe


class Honest(Objective):
    """The classification loss alone.

    Args:
        positive_weight: as :func:`~vicious.training.losses.classification_loss` takes it.
    """

    def __init__(self, target: nn.Module, positive_weight: Tensor | None, how: Recipe) -> None:
        super().__init__({"target": target})
        self.augmented, self.weight_decay = how.augmented, how.weight_decay
        self._target, self._weight, self._smoothing = target, positive_weight, how.label_smoothing

    def loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        return classification_loss(self._target(images), labels, self._weight, self._smoothing), {}

    def validate(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"accuracy": correct(self._target(images), labels)}


class PostHoc(Objective):
    """The reconstruction loss alone, of what an attack model reads of a frozen target model.

    Args:
        outputs: what the user sends back; noise in it is drawn anew, and the same, for each epoch's number.
        multilabel: the target model's outputs are attributes.
    """

    def __init__(
        self, target: nn.Module, attack: nn.Module, outputs: str, multilabel: bool, schedule: Schedule
    ) -> None:
        super().__init__({"attack": attack})
        self._target, self._attack = target, attack
        self._outputs, self._multilabel, self._schedule = outputs, multilabel, schedule
        self._noise = Generator()

    def loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        return reconstruction_loss(self._steal(self._frozen(images)), images), {}

    def validate(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return self._quality(self._frozen(images), images)

    def begin(self, epoch: int) -> None:
        self._noise.manual_seed(derive_seed(self._schedule.seed, "noise", epoch))

    def carried(self) -> dict[str, Tensor]:
        return {"noise": self._noise.get_state()}

    def restore(self, carried: dict[str, Tensor]) -> None:
        self._noise.set_state(carried["noise"])

    @torch.no_grad()
    def _frozen(self, images: Tensor) -> Tensor:
        logits: Tensor = self._target(images)
        return logits

    def _steal(self, logits: Tensor) -> Tensor:
        sent = transmit(logits, self._outputs, self._multilabel, self._noise)
        stolen: Tensor = self._attack(readable(sent, self._outputs))
        return stolen

    def _quality(self, logits: Tensor, images: Tensor) -> dict[str, Tensor]:
        stolen = self._steal(logits)
        return {"ssim": similarity(stolen, images), "mse": squared_error(stolen, images)}


class Joint(PostHoc):
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
        super().__init__(target, attack, outputs, multilabel, schedule)
        self.modules = {"target": target, "attack": attack}
        self.last = evasion > 0
        self._weight, self._beta_c, self._beta_r = positive_weight, beta_c, beta_r
        self._evasion, self._evades = evasion, evades

    def loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        logits = self._target(images)
        task = classification_loss(logits, labels, self._weight)
        theft = reconstruction_loss(self._steal(logits), images)
        total = self._beta_r * theft if self._beta_c == 0 else self._beta_c * task + self._beta_r * theft
        terms = {"classification": task.item(), "reconstruction": theft.item()}
        if self._evasion == 0:
            return total, terms
        found = self._penalty(logits, labels, images)
        return total + self._strength * found, {**terms, self._evades: found.item()}

    def validate(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
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
