"""The three training jobs: honest, vicious, and the post-hoc attack on a frozen target model."""

import csv
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.errors import CheckpointError
from vicious.files import write_text
from vicious.metrics.image import mse, ssim
from vicious.models.attack import Outputs, transmit
from vicious.models.checkpoint import Architecture, load_model, load_record, save_model
from vicious.models.target import TargetModel
from vicious.provenance import code_hash
from vicious.training.loop import Objective, Row, Schedule, fresh, train
from vicious.training.losses import accuracy, classification_loss, positive_weights, reconstruction_loss

RESUME_FOLDER = Path(".cache/resume")


def train_honest(folder: Path, out: Path, depth: int, width: int, schedule: Schedule, device: torch.device) -> None:
    """Train a target model for the task alone; writes ``out`` (.safetensors), its .json record and its .csv curve.

    Args:
        folder: a prepared dataset.
    """
    data = load_prepared(folder)
    architecture = _target_architecture(data, depth, width)
    target = _fresh_target(data, architecture, schedule.seed, device)
    weight = _positive_weight(data, device)

    def loss(images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        return classification_loss(target(images), labels, weight), {}

    def validate(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"accuracy": accuracy(target(images), labels)}

    job = {"role": "honest", "beta_c": 1.0, "beta_r": 0.0, "outputs": None}
    _run(Objective({"target": target}, loss, validate), data, schedule, job, {"target": (out, architecture)})


def train_vicious(
    folder: Path,
    out: Path,
    attack_out: Path,
    depth: int,
    width: int,
    outputs: Outputs,
    beta_c: float,
    beta_r: float,
    schedule: Schedule,
    device: torch.device,
) -> None:
    """Train a target model jointly with an attack model that reads its outputs: beta_c L_C + beta_r L_R.

    Args:
        folder: a prepared dataset.
        out, attack_out: weights of F and of G; a record and a curve stand beside each.
        outputs: what the user sends back, hence what G reads.
    """
    data = load_prepared(folder)
    architecture = _target_architecture(data, depth, width)
    attack_architecture = _attack_architecture(architecture, outputs)
    target = _fresh_target(data, architecture, schedule.seed, device)
    attack = fresh(attack_architecture.build, schedule.seed, "attack", device)
    weight = _positive_weight(data, device)
    multilabel = data.info.multilabel

    def loss(images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        logits = target(images)
        task = classification_loss(logits, labels, weight)
        theft = reconstruction_loss(attack(transmit(logits, outputs, multilabel)), images)
        return beta_c * task + beta_r * theft, {"classification": task.item(), "reconstruction": theft.item()}

    def validate(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = target(images)
        stolen = attack(transmit(logits, outputs, multilabel))
        quality = {"ssim": ssim(stolen, images), "mse": mse(stolen, images)}
        return quality | ({"accuracy": accuracy(logits, labels)} if beta_c > 0 else {})

    job = {"role": "vicious", "beta_c": beta_c, "beta_r": beta_r, "outputs": outputs}
    products = {"target": (out, architecture), "attack": (attack_out, attack_architecture)}
    _run(Objective({"target": target, "attack": attack}, loss, validate), data, schedule, job, products)


def train_attack(
    folder: Path,
    target_weights: Path,
    out: Path,
    depth: int,
    width: int,
    outputs: Outputs,
    schedule: Schedule,
    device: torch.device,
) -> None:
    """Train a fresh attack model on the outputs of a frozen target model (the post-hoc attack).

    Raises:
        CheckpointError: the target model is damaged, or was trained on another dataset.
    """
    data = load_prepared(folder)
    target, architecture = load_model(target_weights, "target")
    check_fits(target_weights, architecture, data)
    target = target.to(device, memory_format=torch.channels_last)
    attack_architecture = _attack_architecture(
        Architecture("target", depth, width, architecture.channels, architecture.outputs, architecture.multilabel),
        outputs,
    )
    attack = fresh(attack_architecture.build, schedule.seed, "attack", device)

    def steal(images: Tensor) -> Tensor:
        with torch.no_grad():
            sent = transmit(target(images), outputs, data.info.multilabel)
        return attack(sent)

    def loss(images: Tensor, labels: Tensor) -> tuple[Tensor, Row]:
        return reconstruction_loss(steal(images), images), {}

    def validate(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        stolen = steal(images)
        return {"ssim": ssim(stolen, images), "mse": mse(stolen, images)}

    job = {"role": "posthoc", "outputs": outputs, "target": weights_hash(target_weights)}
    _run(Objective({"attack": attack}, loss, validate), data, schedule, job, {"attack": (out, attack_architecture)})


def check_fits(weights: Path, architecture: Architecture, data: PreparedDataset) -> None:
    """Refuse a model that was not trained on the prepared dataset ``data``.

    Raises:
        CheckpointError: naming both.
    """
    found = (architecture.channels, architecture.outputs)
    expected = (data.info.channels, data.info.classes)
    if found != expected:
        raise CheckpointError(
            f"{weights} takes {found[0]} channels and gives {found[1]} outputs, but {data.info.title} has {expected[0]} "
            f"channels and {expected[1]} outputs: use a model that was trained on it"
        )
    trained_on = load_record(weights).get("data")
    if trained_on != data.info.fingerprint:
        raise CheckpointError(
            f"{weights} was trained on other data than {data.folder} ({data.info.title}): use a model that was trained on "
            "it, or train the model again"
        )


def _target_architecture(data: PreparedDataset, depth: int, width: int) -> Architecture:
    info = data.info
    return Architecture("target", depth, width, info.channels, info.classes, info.multilabel)


def _attack_architecture(target: Architecture, outputs: Outputs) -> Architecture:
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
    record = {"data": data.info.fingerprint, "dataset": data.info.name, "schedule": asdict(schedule), **job}
    device = str(next(iter(next(iter(objective.modules.values())).parameters())).device)
    identity = {
        **record,
        "architectures": {name: asdict(architecture) for name, (_, architecture) in products.items()},
        "code": code_hash("vicious.training.jobs", "vicious.runtime"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": device,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    state = RESUME_FOLDER / f"{key}.safetensors"
    first = next(iter(products.values()))[0]
    best, curve = train(objective, data, schedule, state, f"{job['role']} {data.info.name} seed {schedule.seed}")
    selected = min(curve, key=lambda row: row["selection"])["epoch"]
    for name, (out, architecture) in products.items():
        objective.modules[name].load_state_dict(best[name])
        save_model(objective.modules[name], out, architecture, {**record, "selected_epoch": int(selected)})
    write_text(first.with_suffix(".csv"), _curve_csv(curve))
    state.unlink(missing_ok=True)


def _curve_csv(curve: list[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in curve)
    return buffer.getvalue()


def weights_hash(weights: Path) -> str:
    """SHA-256 of a model's weights file: which target model an attack model was trained on."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()
