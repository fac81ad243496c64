"""The three training jobs: honest, vicious, and the post-hoc attack on a frozen target model."""

import csv
import hashlib
import io
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from vicious.data.prepared import PreparedDataset
from vicious.metrics.image import mse, ssim
from vicious.models.checkpoint import (
    Architecture,
    check_fits,
    failure,
    load_model,
    load_record,
    load_task,
    save_failure,
    save_model,
    weights_hash,
)
from vicious.models.evaded import UNNAMED, evasion_of
from vicious.models.outputs import readable, transmit
from vicious.models.target import TargetModel
from vicious.provenance.record import code_of
from vicious.system.files import write_text
from vicious.system.randomness import derive_seed
from vicious.training.evasion import PENALTIES
from vicious.training.loop import Objective, Row, Schedule, below, fresh, train
from vicious.training.losses import accuracy, classification_loss, positive_weights, reconstruction_loss
from vicious.training.recipes import RECIPES, STANDARD

RESUME_FOLDER = Path(".cache/resume")
log = logging.getLogger(__name__)


def train_honest(
    data: PreparedDataset,
    out: Path,
    depth: int,
    width: int,
    schedule: Schedule,
    device: torch.device,
    as_many_as: int | None = None,
    recipe: str | None = None,
) -> None:
    """Train a target model for the task alone; writes ``out`` (.safetensors), its .json record and its .csv curve.

    Args:
        data: a prepared dataset, as the task uses it.
        as_many_as: how it was restricted; recorded.
        recipe: one of :data:`vicious.training.recipes.RECIPES`, which changes the rest; None for the study's own.
    """
    how = STANDARD if recipe is None else RECIPES[recipe]
    schedule = how.schedule(schedule)
    architecture = _target_architecture(data, how.depth(depth), how.width(width))
    target = _fresh_target(data, architecture, schedule.seed, device)
    weight = _positive_weight(data, device)

    def loss(images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        return classification_loss(target(images), labels, weight, how.label_smoothing), {}

    def validate(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"accuracy": accuracy(target(images), labels)}

    objective = Objective({"target": target}, loss, validate, how.augmented, how.weight_decay)

    job = {"role": "honest", "beta_c": 1.0, "beta_r": 0.0, "outputs": None, "as_many_as": as_many_as}
    _run(objective, data, schedule, job | {"recipe": recipe}, {"target": (out, architecture)})


def train_vicious(
    data: PreparedDataset,
    out: Path,
    attack_out: Path,
    depth: int,
    width: int,
    outputs: str,
    beta_c: float,
    beta_r: float,
    schedule: Schedule,
    device: torch.device,
    as_many_as: int | None = None,
    evasion: float = 0.0,
    evades: str = UNNAMED,
) -> None:
    """Train a target model jointly with an attack model that reads its outputs: beta_c L_C + beta_r L_R.

    With ``beta_c`` 0 the pair is an autoencoder: the most that these outputs can carry.

    Args:
        data: a prepared dataset, as the task uses it.
        as_many_as: how it was restricted; recorded.
        out, attack_out: weights of F and of G; a record and a curve stand beside each.
        outputs: what the user sends back, hence what G reads; a name out of :mod:`vicious.models.kinds`, other than labels.
        evasion: weight of the penalty against a detector (:mod:`vicious.training.evasion`), reached in the last epoch, whose
            weights are then selected; 0: none.
        evades: that detector, out of :data:`~vicious.training.evasion.PENALTIES`.
    """
    architecture = _target_architecture(data, depth, width)
    attack_architecture = _attack_architecture(architecture, outputs)
    target = _fresh_target(data, architecture, schedule.seed, device)
    attack = fresh(attack_architecture.build, schedule.seed, "attack", device)
    weight = _positive_weight(data, device)
    multilabel = data.info.multilabel
    noise = Generator()
    penalty, strength = PENALTIES[evades](), evasion

    def begin(epoch: int) -> None:
        nonlocal penalty, strength
        noise.manual_seed(derive_seed(schedule.seed, "noise", epoch))
        penalty, strength = PENALTIES[evades](), evasion * (epoch / (schedule.epochs - 1) if schedule.epochs > 1 else 1)

    def carried() -> dict[str, Tensor]:
        return {"noise": noise.get_state()} | {f"penalty/{key}": each for key, each in penalty.carried().items()}

    def restore(carried: dict[str, Tensor]) -> None:
        noise.set_state(carried["noise"])
        penalty.restore({key: each.to(device) for key, each in below(carried, "penalty/").items()})

    def steal(logits: Tensor) -> Tensor:
        return attack(readable(transmit(logits, outputs, multilabel, noise), outputs))

    def loss(images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        logits = target(images)
        task = classification_loss(logits, labels, weight)
        theft = reconstruction_loss(steal(logits), images)
        total = beta_r * theft if beta_c == 0 else beta_c * task + beta_r * theft
        terms = {"classification": task.item(), "reconstruction": theft.item()}
        if evasion == 0:
            return total, terms
        found = penalty(logits, labels, images)
        return total + strength * found, {**terms, evades: found.item()}

    def validate(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = target(images)
        stolen = steal(logits)
        quality = {"ssim": ssim(stolen, images), "mse": mse(stolen, images)}
        return quality | ({"accuracy": accuracy(logits, labels)} if beta_c > 0 else {})

    role = "vicious" if beta_c > 0 else "autoencoder"
    job = {"role": role, "beta_c": beta_c, "beta_r": beta_r, "outputs": outputs, "as_many_as": as_many_as}
    products = {"target": (out, architecture), "attack": (attack_out, attack_architecture)}
    objective = Objective(
        {"target": target, "attack": attack},
        loss,
        validate,
        begin=begin,
        carried=carried,
        restore=restore,
        last=evasion > 0,
    )
    _run(objective, data, schedule, job | {"evasion": evasion, "evades": evades if evasion else ""}, products)


def train_attack(
    folder: Path,
    target_weights: Path,
    out: Path,
    depth: int,
    width: int,
    outputs: str,
    schedule: Schedule,
    device: torch.device,
) -> None:
    """Train a fresh attack model on the outputs of a frozen target model (the post-hoc attack).

    Args:
        folder: the prepared dataset of the target model; its task is the target model's.
        outputs: what the user sends back, a name out of :mod:`vicious.models.kinds`.

    Raises:
        CheckpointError: the target model is damaged, or was trained on another dataset.
    """
    data = load_task(folder, target_weights)
    victim = load_record(target_weights)
    job = {
        "role": "posthoc",
        "outputs": outputs,
        "target": weights_hash(target_weights),
        "target_role": victim["role"],
        "beta_r": victim["beta_r"],
        **evasion_of(victim),
        "as_many_as": victim["as_many_as"],
    }
    attack_architecture = _attack_architecture(_target_architecture(data, depth, width), outputs)
    products = {"attack": (out, attack_architecture)}
    reason = failure(target_weights)
    if reason is not None:
        _write_failure(_record(data, schedule, job), products, [], f"its target model failed: {reason}")
        return
    target, architecture = load_model(target_weights, "target")
    check_fits(target_weights, architecture, data)
    target = target.to(device, memory_format=torch.channels_last)
    attack = fresh(attack_architecture.build, schedule.seed, "attack", device)

    noise = Generator()

    def begin(epoch: int) -> None:
        noise.manual_seed(derive_seed(schedule.seed, "noise", epoch))

    def carried() -> dict[str, Tensor]:
        return {"noise": noise.get_state()}

    def restore(carried: dict[str, Tensor]) -> None:
        noise.set_state(carried["noise"])

    def steal(images: Tensor) -> Tensor:
        with torch.no_grad():
            sent = transmit(target(images), outputs, data.info.multilabel, noise)
        return attack(readable(sent, outputs))

    def loss(images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        return reconstruction_loss(steal(images), images), {}

    def validate(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        stolen = steal(images)
        return {"ssim": ssim(stolen, images), "mse": mse(stolen, images)}

    objective = Objective({"attack": attack}, loss, validate, begin=begin, carried=carried, restore=restore)
    _run(objective, data, schedule, job, products)


def _target_architecture(data: PreparedDataset, depth: int, width: int) -> Architecture:
    info = data.info
    return Architecture("target", depth, width, info.channels, info.classes, info.multilabel)


def _attack_architecture(target: Architecture, outputs: str) -> Architecture:
    return Architecture(
        "attack", target.depth, target.width, target.channels, target.outputs, target.multilabel, reads=outputs
    )


def _fresh_target(data: PreparedDataset, architecture: Architecture, seed: int, device: torch.device) -> nn.Module:
    a = architecture

    def build() -> nn.Module:
        std = [value or 1.0 for value in data.info.std]  # a constant channel has none
        return TargetModel(a.depth, a.width, a.channels, a.outputs, data.info.mean, std)

    return fresh(build, seed, "target", device)


def _positive_weight(data: PreparedDataset, device: torch.device) -> Tensor | None:
    if not data.info.multilabel:
        return None
    return positive_weights(torch.from_numpy(data.labels("train").astype("int64"))).to(device)


def _run(
    objective: Objective,
    data: PreparedDataset,
    schedule: Schedule,
    job: dict[str, Any],
    products: dict[str, tuple[Path, Architecture]],
) -> None:
    record = _record(data, schedule, job)
    device = str(next(iter(next(iter(objective.modules.values())).parameters())).device)
    identity = {
        **record,
        "architectures": {name: asdict(architecture) for name, (_, architecture) in products.items()},
        "code": code_of("train-attack"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": device,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    state = RESUME_FOLDER / f"{key}.safetensors"
    outcome = train(objective, data, schedule, state, f"{job['role']} {data.task} seed {schedule.seed}")
    if outcome.failure is not None:
        _write_failure(record, products, outcome.curve, outcome.failure)
    else:
        curve = outcome.curve
        selected = curve[-1] if objective.last else min(curve, key=lambda row: row["selection"])
        for name, (out, architecture) in products.items():
            objective.modules[name].load_state_dict(outcome.weights[name])
            save_model(objective.modules[name], out, architecture, {**record, "selected_epoch": int(selected["epoch"])})
        _write_curve(products, curve)
    state.unlink(missing_ok=True)


def _record(data: PreparedDataset, schedule: Schedule, job: dict[str, Any]) -> dict[str, Any]:
    """What a model's record says beside its architecture."""
    info = data.info
    return {
        "dataset": info.name,
        "task": data.task,
        "source": info.source,
        "data": info.fingerprint,
        "n": info.n,
        "schedule": asdict(schedule),
        **job,
    }


def _write_failure(
    record: dict[str, Any], products: dict[str, tuple[Path, Architecture]], curve: list[Row], reason: str
) -> None:
    """Leave a training that failed as a result of its own, so that the study goes on and shows it."""
    log.error("training failed: %s", reason)
    for out, architecture in products.values():
        save_failure(out, architecture, record, reason)
    _write_curve(products, curve)


def _write_curve(products: dict[str, tuple[Path, Architecture]], curve: list[Row]) -> None:
    write_text(next(iter(products.values()))[0].with_suffix(".csv"), _curve_csv(curve))


def _curve_csv(curve: list[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(curve[0]) if curve else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in curve)
    return buffer.getvalue()
