"""The training loop that honest, vicious and attack training share, with resume state after each epoch and on a signal."""

import hashlib
import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Generator, Tensor, nn

from vicious.data.batches import EVALUATION_BATCH, batches
from vicious.data.prepared import PreparedDataset
from vicious.system.errors import TrainingError
from vicious.system.files import write_bytes
from vicious.system.interrupt import Interrupted, check, held_back
from vicious.system.progress import Progress
from vicious.system.randomness import derive_seed
from vicious.training.adam import Adam
from vicious.training.augment import augment
from vicious.training.losses import selection_score

Row = dict[str, float]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: passes over the training images, or over those drawn for each.
        batch_images: images in a batch; with their augmented copies twice as many rows.
        learning_rate: of Adam, constant.
        seed: of initial weights, order and augmentation.
        epoch_images: most images of an epoch, drawn anew for each; None: all.
    """

    epochs: int
    batch_images: int
    learning_rate: float
    seed: int
    epoch_images: int | None = None

    def order(self, epoch: int, count: int) -> np.ndarray:
        """The images of an epoch, out of ``count``, in the order in which they come."""
        generator = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        return generator.permutation(count)[: self.epoch_images]


@dataclass(frozen=True)
class Objective:
    """What is trained and how it is judged.

    Attributes:
        modules: the models whose weights change, by name, each with its own Adam.
        loss: (images, labels) -> loss to minimise and named terms for the curve.
        validate: (images, labels) -> per-image tensors (n,) out of "accuracy", "ssim", "mse".
        augmented: whether a batch has, beside each image, one augmented copy.
        weight_decay: decoupled from the gradient.
        last: the weights of the last epoch are selected, whatever its score.
        begin: called with the index of an epoch before it: what its steps leave behind begins anew, so that a resumed training is
            the same as one that was never interrupted.
        carried: what a step leaves behind for the next one of its epoch, by name; no later step may change these tensors.
        restore: takes that back, from the CPU, after ``begin``.
    """

    modules: dict[str, nn.Module]
    loss: Callable[[Tensor, Tensor], tuple[Tensor, Row]]
    validate: Callable[[Tensor, Tensor], dict[str, Tensor]]
    augmented: bool = True
    weight_decay: float = 0.0
    begin: Callable[[int], None] = lambda _epoch: None
    carried: Callable[[], dict[str, Tensor]] = dict
    restore: Callable[[dict[str, Tensor]], None] = lambda _carried: None
    last: bool = False


def fresh(build: Callable[[], nn.Module], seed: int, name: str, device: torch.device) -> nn.Module:
    """A model with initial weights that depend on the seed and its name alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights", name))
        return build().to(device).to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        weights: selected weights of each module; empty where training failed.
        curve: a row per completed epoch.
        failure: why training could not go on, or None.
    """

    weights: dict[str, dict[str, Tensor]]
    curve: list[Row]
    failure: str | None


def train(objective: Objective, data: PreparedDataset, schedule: Schedule, state: Path, label: str) -> Outcome:
    """Train, and select the epoch with the smallest validation score.

    Args:
        state: file with the resume state, written after each epoch and when a signal comes, read if it is there, removed by the
            caller once the results are safe.
        label: for the progress display.

    A loss that is no longer finite, or an error of PyTorch's such as too little memory, ends the training and is told in
    the outcome, so that the study goes on with a failed cell. A killed training leaves its resume state instead.

    Raises:
        Interrupted: a signal came. The running batch was finished and its state saved.
    """
    run = _Run(objective, schedule)
    run.restore(state)
    try:
        _train(run, objective, data, schedule, state, label)
    except TrainingError as error:
        return Outcome({}, run.curve, str(error))
    except (MemoryError, RuntimeError) as error:
        log.exception("training stopped")
        told = " ".join(str(error).split())
        return Outcome({}, run.curve, f"{type(error).__name__}: {told}" if told else type(error).__name__)
    return Outcome(run.best, run.curve, None)


def _train(
    run: "_Run", objective: Objective, data: PreparedDataset, schedule: Schedule, state: Path, label: str
) -> None:
    device = next(iter(next(iter(objective.modules.values())).parameters())).device
    count = len(schedule.order(0, len(data.labels("train"))))
    with held_back(), Progress(schedule.epochs * count, label) as progress:
        if run.curve or run.place.images:
            progress.advance(len(run.curve) * count + run.place.images, f"resumed in epoch {len(run.curve) + 1}")
        try:
            for epoch in range(len(run.curve), schedule.epochs):
                objective.begin(epoch)
                row = _train_epoch(run, objective, data, schedule, epoch, device, progress)
                run.finish_epoch({"epoch": epoch + 1, **row, **evaluate(objective, data, device)})
                run.save(state)
        except Interrupted:
            run.save(state)
            raise


def _train_epoch(
    run: "_Run",
    objective: Objective,
    data: PreparedDataset,
    schedule: Schedule,
    epoch: int,
    device: torch.device,
    progress: Progress,
) -> Row:
    for module in objective.modules.values():
        module.train()
    order = schedule.order(epoch, len(data.labels("train")))
    generator = Generator().manual_seed(derive_seed(schedule.seed, "augmentation", epoch))
    done, sums = run.place.images, dict(run.place.sums)
    if done:
        generator.set_state(run.place.augmentation)
        objective.restore(run.place.carried)
    for images, labels in batches(data, "train", schedule.batch_images, device, order[done:]):
        if objective.augmented:
            rows = torch.cat([images, augment(images, generator)])
            loss, terms = objective.loss(rows, labels.repeat(2, *[1] * (labels.ndim - 1)))
        else:
            loss, terms = objective.loss(images, labels)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} in epoch {epoch + 1} (seed {schedule.seed}): lower scales.<scale>.learning_rate"
            )
        for optimiser in run.optimisers.values():
            optimiser.zero_grad()
        loss.backward()
        for optimiser in run.optimisers.values():
            optimiser.step()
        for name, term in {"loss": value, **terms}.items():
            sums[name] = sums.get(name, 0.0) + term * len(images)
        done += len(images)
        run.place = _Place(done, dict(sums), generator.get_state(), objective.carried())
        progress.advance(len(images), f"epoch {epoch + 1}/{schedule.epochs}, loss {value:.4f}")
        check()
    return {f"train_{name}": total / len(order) for name, total in sums.items()}


@torch.no_grad()
def evaluate(objective: Objective, data: PreparedDataset, device: torch.device) -> Row:
    """Validation means over images, and the selection score."""
    for module in objective.modules.values():
        module.eval()
    parts: dict[str, list[Tensor]] = {}
    for images, labels in batches(data, "validation", EVALUATION_BATCH, device):
        for name, values in objective.validate(images, labels).items():
            parts.setdefault(name, []).append(values.double())
        check()
    means = {name: torch.cat(values).mean().item() for name, values in parts.items()}
    score = selection_score(means.get("accuracy"), means.get("ssim"), means.get("mse"))
    return {f"validation_{name}": mean for name, mean in means.items()} | {"selection": score}


@dataclass(frozen=True)
class _Place:
    """How far the running epoch has come: how many of its images are done, sums over them, and what the next batch takes over.

    It stays the same while the epoch is validated, which is not resumed half-way.
    """

    images: int = 0
    sums: Row = field(default_factory=dict)
    augmentation: Tensor = field(default_factory=lambda: Generator().get_state())
    carried: dict[str, Tensor] = field(default_factory=dict)


class _Run:
    """What changes while training: optimisers, the curve, the best weights so far, the place. Its file is the resume state."""

    def __init__(self, objective: Objective, schedule: Schedule) -> None:
        self.modules, self._last = objective.modules, objective.last
        self.optimisers = {
            name: Adam(module, schedule.learning_rate, objective.weight_decay) for name, module in self.modules.items()
        }
        self.curve: list[Row] = []
        self.best: dict[str, dict[str, Tensor]] = {}
        self.place = _Place()

    def finish_epoch(self, row: Row) -> None:
        if not math.isfinite(row["selection"]):
            raise TrainingError(f"the validation score is {row['selection']} after epoch {row['epoch']:.0f}")
        if self._last or all(row["selection"] < earlier["selection"] for earlier in self.curve):
            self.best = {
                name: {key: tensor.detach().cpu().clone() for key, tensor in module.state_dict().items()}
                for name, module in self.modules.items()
            }
        self.curve.append(row)
        self.place = _Place()

    def save(self, path: Path) -> None:
        tensors = {"place/augmentation": self.place.augmentation}
        tensors |= {f"place/carried/{key}": value for key, value in self.place.carried.items()}
        for name, module in self.modules.items():
            tensors |= {f"now/{name}/{key}": value for key, value in module.state_dict().items()}
            tensors |= {f"best/{name}/{key}": value for key, value in self.best.get(name, {}).items()}
            tensors |= {f"adam/{name}/{key}": value for key, value in self.optimisers[name].state().items()}
        contiguous = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        place = {"curve": self.curve, "images": self.place.images, "sums": self.place.sums}
        told = {key: json.dumps(value) for key, value in place.items()}
        write_bytes(path, save(contiguous, metadata={**told, "sha256": _digest(contiguous, told)}))

    def restore(self, path: Path) -> None:
        if not path.is_file():
            return
        try:
            with safe_open(path, framework="pt") as file:
                texts = dict(file.metadata() or {})
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            if texts.pop("sha256", None) != _digest(tensors, texts):
                raise ValueError("its checksum is another")
        except (SafetensorError, OSError, ValueError, KeyError, TypeError):
            log.warning("%s is damaged: training begins anew", path)
            path.unlink()  # a damaged resume state costs time, never the result
            return
        told = {key: json.loads(text) for key, text in texts.items()}
        self.curve = told["curve"]
        carried = below(tensors, "place/carried/")
        self.place = _Place(told["images"], told["sums"], tensors["place/augmentation"], carried)
        for name, module in self.modules.items():
            module.load_state_dict(below(tensors, f"now/{name}/"))
            self.best[name] = below(tensors, f"best/{name}/")
            self.optimisers[name].restore(below(tensors, f"adam/{name}/"))


def _digest(tensors: dict[str, Tensor], told: dict[str, str]) -> str:
    """A checksum of all that a resume state holds."""
    found = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for key, tensor in sorted(tensors.items()):
        found.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
