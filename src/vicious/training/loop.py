"""The loop that honest, vicious and attack training share, with a resume state after each epoch and on a signal."""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Generator, Tensor, nn

from vicious.data.batches import EVALUATION_BATCH, Held
from vicious.data.prepared import PreparedDataset
from vicious.models.precision import is_slow
from vicious.models.schedule import Schedule
from vicious.system.errors import CheckpointError, TrainingError
from vicious.system.files import write_bytes
from vicious.system.interrupt import Interrupted, check, held_back
from vicious.system.progress import Progress
from vicious.system.randomness import derive_seed
from vicious.system.runtime import kept_memory
from vicious.training.adam import Adam
from vicious.training.augment import augment
from vicious.training.average import Averaged
from vicious.training.losses import selection_score
from vicious.training.objective import Objective, Row
from vicious.training.rate import learning_rate
from vicious.training.stepping import Stepping, cuda_graph

log = logging.getLogger(__name__)


def fresh(build: Callable[[], nn.Module], seed: int, name: str, device: torch.device) -> nn.Module:
    """A model with initial weights that depend on the seed and its name alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights", name))
        return build().to(device).to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Outcome:
    """How a training ended: the selected weights of each module, empty where it failed, a row per completed epoch, and
    why it could not go on, or None."""

    weights: dict[str, dict[str, Tensor]]
    curve: list[Row]
    failure: str | None


def train(objective: Objective, data: PreparedDataset, schedule: Schedule, state: Path, label: str) -> Outcome:
    """Train, and select the epoch with the smallest validation score.

    Args:
        state: file with the resume state, written after each epoch and when a signal comes, read if it is there; the
            caller removes it once the results are safe.
        label: for the progress display.

    A loss that is no longer finite, or an error of PyTorch's such as too little memory, ends the training and is
    recorded in the outcome, so that the study goes on with a failed cell. A killed training leaves its resume state.
    Whether losses are finite is seen where one is shown, where a state is saved and at an epoch's end: to look at each
    would make a GPU wait.

    Raises:
        Interrupted: a signal came. The running batch was finished and its state saved.
    """
    run, count = _Run(objective, schedule), len(schedule.order(0, len(data.labels("train"))))
    run.restore(state, count)
    try:
        with kept_memory():
            _train(run, data, count, state, label)
    except TrainingError as error:
        return Outcome({}, run.curve, str(error))
    except (MemoryError, RuntimeError) as error:
        log.exception("training stopped")
        text = " ".join(str(error).split())
        return Outcome({}, run.curve, f"{type(error).__name__}: {text}" if text else type(error).__name__)
    return Outcome(run.best, run.curve, None)


def _train(run: "_Run", data: PreparedDataset, count: int, state: Path, label: str) -> None:
    epochs, device = run.schedule.epochs, run.objective.device
    if is_slow(run.schedule.precision, device):
        log.warning("this %s emulates %s, slowly: float32 is faster here", device.type.upper(), run.schedule.precision)
    train, validation = Held(data, "train", device), Held(data, "validation", device)
    with held_back(), Progress(epochs * count, label) as progress:
        run.objective.open(train, validation, epochs * count / len(train))
        if run.curve or run.place.images:
            progress.advance(len(run.curve) * count + run.place.images, f"resumed in epoch {len(run.curve) + 1}")
        try:
            for epoch in range(len(run.curve), epochs):
                run.objective.begin(epoch)
                row = _train_epoch(run, train, epoch, progress)
                with run.averaged():
                    run.finish_epoch({"epoch": epoch + 1, **row, **evaluate(run.objective, validation)})
                run.save(state)
        except Interrupted:
            run.save(state)
            raise


def _train_epoch(run: "_Run", held: Held, epoch: int, progress: Progress) -> Row:
    objective, schedule = run.objective, run.schedule
    for module in objective.modules.values():
        module.train()
    order = schedule.order(epoch, len(held))
    generator = Generator().manual_seed(derive_seed(schedule.seed, "augmentation", epoch))
    place = run.place
    if place.images:
        generator.set_state(place.augmentation)
        objective.restore(place.carried)
    for images, labels, index in held.batches(schedule.batch_images, order[place.images :]):
        rows = images
        if schedule.augmented:
            rows, labels = torch.cat([images, augment(images, generator)]), torch.cat([labels, labels])
        run.pace(epoch, len(order))
        found = run.step(rows, labels, index)
        place = run.place = place.after(len(images), found, generator.get_state(), objective.carried())
        progress.advance(len(images), lambda: f"epoch {epoch + 1}/{schedule.epochs}, {run.told()}")
        check()
    return {f"train_{name}": total / len(order) for name, total in run.sums().items()}


@torch.no_grad()
def evaluate(objective: Objective, held: Held) -> Row:
    """Means over validation images, and the selection score."""
    for module in objective.modules.values():
        module.eval()
    parts: dict[str, list[Tensor]] = {}
    for batch in held.batches(EVALUATION_BATCH):
        for name, values in objective.validate(*batch).items():
            parts.setdefault(name, []).append(values.double())
        check()
    means = {name: torch.cat(values).mean().item() for name, values in parts.items()}
    score = selection_score(means.get("accuracy"), means.get("ssim"), means.get("mse"))
    return {f"validation_{name}": mean for name, mean in means.items()} | {"selection": score}


@dataclass(frozen=True)
class _Place:
    """How far the running epoch has come: images that are done, sums over them, and what the next batch takes over.

    It stays the same while the epoch is validated, which is not resumed half-way.
    """

    images: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    augmentation: Tensor = field(default_factory=lambda: Generator().get_state())
    carried: dict[str, Tensor] = field(default_factory=dict)

    def after(
        self, images: int, found: dict[str, Tensor], augmentation: Tensor, carried: dict[str, Tensor]
    ) -> "_Place":
        """The place after so many images more, of which the mean loss and its terms were found."""
        more = {name: term.double() * images for name, term in found.items()}
        sums = {name: self.sums[name] + one if self.sums else one for name, one in more.items()}
        return _Place(self.images + images, sums, augmentation, carried)


class _Run:
    """What changes while training: optimisers, curve, best weights so far, place. Its file is the resume state."""

    def __init__(self, objective: Objective, schedule: Schedule) -> None:
        self.objective, self.schedule, self.modules = objective, schedule, objective.modules
        self.optimisers = {name: self._optimiser(module) for name, module in self.modules.items()}
        record = cuda_graph if objective.device.type == "cuda" else None
        self.step = Stepping(objective, self.optimisers, schedule.batch_images, record)
        self.curve: list[Row] = []
        self.best: dict[str, dict[str, Tensor]] = {}
        self.place = _Place()

    def _optimiser(self, module: nn.Module) -> Adam:
        schedule, decay = self.schedule, self.objective.weight_decay
        varies = schedule.rate != "constant"
        if schedule.average == 0:
            return Adam(module, schedule.learning_rate, decay, varies)
        return Averaged(module, schedule.learning_rate, decay, varies, schedule.average)

    def pace(self, epoch: int, count: int) -> None:
        """Set the learning rate of the next step, in an epoch of ``count`` images."""
        schedule = self.schedule
        if schedule.rate == "constant":
            return
        each = math.ceil(count / schedule.batch_images)
        done = epoch * each + self.place.images // schedule.batch_images
        rate = learning_rate(schedule.rate, schedule.learning_rate, done, schedule.epochs * each)
        for optimiser in self.optimisers.values():
            optimiser.pace(rate)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the models hold the averages of their weights, where the schedule asks for averages."""
        with ExitStack() as stack:
            for optimiser in self.optimisers.values():
                if isinstance(optimiser, Averaged):
                    stack.enter_context(optimiser.shown())
            yield

    def sums(self) -> Row:
        """Over the images of the running epoch that are done.

        Raises:
            TrainingError: a loss among them is not finite.
        """
        found = {name: total.item() for name, total in self.place.sums.items()}
        if not all(map(math.isfinite, found.values())):
            raise TrainingError(
                f"the loss is no longer finite in epoch {len(self.curve) + 1} (seed {self.schedule.seed}): "
                "lower learning_rate, of scales.<scale> or the attack model's own"
            )
        return found

    def told(self) -> str:
        """The mean loss of the running epoch so far, in words; raises as :meth:`sums`."""
        return f"loss {self.sums()['loss'] / self.place.images:.4f}"

    def finish_epoch(self, row: Row) -> None:
        if not math.isfinite(row["selection"]):
            raise TrainingError(f"the validation score is {row['selection']} after epoch {row['epoch']:.0f}")
        if self.objective.last or all(row["selection"] < earlier["selection"] for earlier in self.curve):
            self.best = {
                name: {key: tensor.detach().cpu().clone() for key, tensor in module.state_dict().items()}
                for name, module in self.modules.items()
            }
        self.curve.append(row)
        self.place = _Place()

    def _due(self, chosen: bool) -> dict[str, Tensor]:
        """The tensors that a state of this training holds of its models, by name; ``chosen``: the best weights too."""
        due: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            for kind in ("now", "best") if chosen else ("now",):
                due |= {f"{kind}/{name}/{key}": value for key, value in module.state_dict().items()}
            due |= {f"adam/{name}/{key}": value for key, value in self.optimisers[name].state().items()}
        return due

    def save(self, path: Path) -> None:
        tensors = {"place/augmentation": self.place.augmentation}
        tensors |= {f"place/carried/{key}": value for key, value in self.place.carried.items()}
        for name, module in self.modules.items():
            tensors |= {f"now/{name}/{key}": value for key, value in module.state_dict().items()}
            tensors |= {f"best/{name}/{key}": value for key, value in self.best.get(name, {}).items()}
            tensors |= {f"adam/{name}/{key}": value for key, value in self.optimisers[name].state().items()}
        contiguous = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        place = {"job": path.stem, "curve": self.curve, "images": self.place.images, "sums": self.sums()}
        facts = {key: json.dumps(value) for key, value in place.items()}
        write_bytes(path, save(contiguous, metadata={**facts, "sha256": _digest(contiguous, facts)}))

    def restore(self, path: Path, count: int) -> None:
        """Go on where a file leaves off, if it is there; an epoch has ``count`` images.

        Raises:
            CheckpointError: it is sound and of another training, or does not hold what this one saves.
        """
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
        try:
            facts = {key: json.loads(text) for key, text in texts.items()}
            if facts["job"] != path.stem:
                raise ValueError("it is of another training")
            self._take(facts, tensors, count)
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            told = " ".join(str(error).split())
            raise CheckpointError(
                f"{path} is no resume state of this training ({told}): put back the right file under this name, or "
                "delete it to begin anew"
            ) from None

    def _take(self, facts: dict[str, Any], tensors: dict[str, Tensor], count: int) -> None:
        """Take over a state; raises one of several errors where it is none of this training."""
        curve, images, sums = facts["curve"], facts["images"], facts["sums"]
        _check_curve(curve, sums)
        if len(curve) > self.schedule.epochs or type(images) is not int or not 0 <= images <= count:
            raise ValueError("it is further than this training goes")
        Generator().set_state(tensors["place/augmentation"])
        for key, due in self._due(chosen=bool(curve)).items():
            given = tensors.get(key)
            if given is None or (given.shape, given.dtype) != (due.shape, due.dtype):
                raise ValueError(f"{key} is missing, or of another shape or type")
        self.curve = curve
        device = self.objective.device
        totals = {name: torch.tensor(total, dtype=torch.float64, device=device) for name, total in sums.items()}
        self.place = _Place(images, totals, tensors["place/augmentation"], below(tensors, "place/carried/"))
        for name, module in self.modules.items():
            module.load_state_dict(below(tensors, f"now/{name}/"))
            self.best[name] = below(tensors, f"best/{name}/")
            self.optimisers[name].restore(below(tensors, f"adam/{name}/"))


def _check_curve(curve: Any, sums: Any) -> None:
    """Raise a ValueError unless there is a row of finite numbers for each epoch from the first, and sums of such."""
    if type(curve) is not list or any(type(row) is not dict for row in (*curve, sums)):
        raise ValueError("its curve is none")
    values = [value for row in (*curve, sums) for value in row.values()]
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise ValueError("its curve holds something else than numbers")
    epochs = [row.get("epoch") for row in curve if "selection" in row]
    if epochs != [*range(1, len(curve) + 1)]:
        raise ValueError("its curve is not that of its epochs")


def _digest(tensors: dict[str, Tensor], facts: dict[str, str]) -> str:
    """A checksum of all that a resume state holds."""
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for key, tensor in sorted(tensors.items()):
        found.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
