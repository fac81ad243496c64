"""The three training jobs: honest, vicious, and the post-hoc attack on a frozen target model."""

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vicious.data.batches import Held
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.models.architecture import Architecture, Model
from vicious.models.checkpoint import check_fits, failure, load_model, load_record, load_task, save_failure, save_model
from vicious.models.evaded import UNNAMED, evasion_of
from vicious.models.means import STUDYS, Means
from vicious.models.schedule import Schedule
from vicious.system.errors import DataError
from vicious.system.files import digest, write_text
from vicious.system.progress import Progress
from vicious.system.randomness import derive_seed
from vicious.training.loop import evaluate, fresh, train
from vicious.training.losses import positive_weights
from vicious.training.objective import Objective, Row
from vicious.training.objectives import Honest, Joint, PostHoc
from vicious.training.recipe import find_recipe

RESUME_FOLDER = Path(".cache/resume")
log = logging.getLogger(__name__)


def train_honest(
    data: PreparedDataset,
    out: Path,
    target: Model,
    schedule: Schedule,
    device: torch.device,
    code: str,
    as_many_as: int | None = None,
    recipe: str | None = None,
) -> None:
    """Train a target model for the task alone; writes ``out`` (.safetensors), its .json record and its .csv curve.

    Args:
        data: a prepared dataset, as the task uses it.
        code: identity of the code that trains; an interrupted training is resumed only by the same.
        as_many_as: how the dataset was restricted; recorded.
        recipe: one out of :data:`vicious.training.recipe.PACKAGE`, which changes the rest; None for the study's own.
    """
    how = find_recipe(recipe)
    schedule = how.schedule(schedule)
    architecture = _architecture(data, how.target(target))
    network = _fresh_target(data, architecture, schedule.seed, device)
    objective = Honest(network, _positive_weight(data, device), how, schedule.precision)
    job = {"role": "honest", "beta_c": 1.0, "beta_r": 0.0, "outputs": None, "as_many_as": as_many_as, "recipe": recipe}
    _run(objective, data, schedule, job, {"target": (out, architecture)}, code)


def train_vicious(
    data: PreparedDataset,
    out: Path,
    attack_out: Path,
    target: Model,
    attack: Model,
    outputs: str,
    beta_c: float,
    beta_r: float,
    schedule: Schedule,
    device: torch.device,
    code: str,
    as_many_as: int | None = None,
    evasion: float = 0.0,
    evades: str = UNNAMED,
) -> None:
    """Train a target model jointly with an attack model that reads its outputs: beta_c L_C + beta_r L_R.

    With ``beta_c`` 0 the pair is an autoencoder, trained for reconstruction alone.

    Args:
        data: a prepared dataset, as the task uses it.
        out, attack_out: weights of F and of G; a record and a curve stand beside each.
        outputs: what the user sends back, hence what G reads; a name out of :mod:`vicious.mitigations`, other than
            labels.
        code, as_many_as: as for :func:`train_honest`.
        evasion: weight of the penalty against a detector (:mod:`vicious.training.penalty`), reached in the last epoch,
            whose weights are then selected; 0: none.
        evades: that detector, out of :data:`~vicious.training.penalty.PACKAGE`.
    """
    f, g = _architecture(data, target), _architecture(data, attack, outputs)
    objective = Joint(
        _fresh_target(data, f, schedule.seed, device),
        fresh(g.build, schedule.seed, "attack", device),
        *(outputs, data.info.multilabel, schedule),
        positive_weight=_positive_weight(data, device),
        beta_c=beta_c,
        beta_r=beta_r,
        evasion=evasion,
        evades=evades,
    )
    job = {
        "role": "vicious" if beta_c > 0 else "autoencoder",
        "beta_c": beta_c,
        "beta_r": beta_r,
        "outputs": outputs,
        "as_many_as": as_many_as,
        "evasion": evasion,
        "evades": evades if evasion else "",
    }
    _run(objective, data, schedule, job, {"target": (out, f), "attack": (attack_out, g)}, code)


def train_attack(
    folder: Path,
    target_weights: Path,
    out: Path,
    attack: Model,
    outputs: str,
    schedule: Schedule,
    device: torch.device,
    code: str,
    means: Means = STUDYS,
    images: Path | None = None,
) -> None:
    """Train a fresh attack model on the outputs of a frozen target model (the post-hoc attack).

    Args:
        folder: the prepared dataset of the target model; its task is the target model's.
        schedule: the study's; an attack model may have another one of its own.
        outputs, code: as for :func:`train_vicious`.
        means: what the attacker has.
        images: the prepared dataset of ``means.of``, whose images are shown to the target model.

    Raises:
        CheckpointError: the target model is damaged, or was trained on another dataset.
        DataError: the attacker's images are of another dataset than ``means`` says, or of another number of channels.
    """
    data, victim = load_task(folder, target_weights), load_record(target_weights)
    attack, shown = attack.larger(means.budget), _images(data, means, images)
    longer = means.budget * means.longer(data.info.n["train"])
    schedule = attack.schedule(schedule)
    schedule = replace(schedule, epochs=longer * schedule.epochs)
    job = {
        "role": "posthoc",
        "outputs": outputs,
        "target": digest(target_weights),
        "target_role": victim["role"],
        "beta_r": victim["beta_r"],
        **evasion_of(victim),
        "as_many_as": victim["as_many_as"],
    }
    if str(means):
        job |= {"means": str(means), "images": {"data": shown.info.fingerprint, "n": shown.info.n}}
    architecture = _architecture(data, attack, outputs)
    products = {"attack": (out, architecture)}
    reason = failure(target_weights)
    if reason is not None:
        _write_failure(_record(data, schedule, job), products, [], f"its target model failed: {reason}")
        return
    target, target_architecture = load_model(target_weights, "target")
    check_fits(target_weights, target_architecture, data)
    target = target.to(device, memory_format=torch.channels_last)
    decoder = fresh(architecture.build, schedule.seed, "attack", device)
    objective = PostHoc(target, decoder, outputs, data.info.multilabel, schedule, attack)
    if attack.fitted:
        _fit(objective, data, shown, schedule, job, products, attack)
    else:
        _run(objective, data, schedule, job, products, code, shown)


def _images(data: PreparedDataset, means: Means, folder: Path | None) -> PreparedDataset:
    """What the attacker shows a target model of ``data``."""
    if (folder is not None) != bool(means.of):
        raise DataError("the attacker's images and the name of their dataset go together: give both, or none")
    if means.of == data.info.name:
        raise DataError(f"the attacker's images are of {means.of}, as the target model's are: leave them out")
    found = data if folder is None else load_prepared(folder)
    if folder is not None and (found.info.name, found.info.channels) != (means.of, data.info.channels):
        raise DataError(
            f"{folder} holds {found.info.title}, images of {found.info.channels} channels; expected the dataset "
            f"{means.of}, with {data.info.channels} as {data.info.title} has: choose another dataset"
        )
    return found if means.images is None else found.fewer(means.images)


def _architecture(data: PreparedDataset, model: Model, reads: str | None = None) -> Architecture:
    return Architecture(model, data.info.channels, data.info.classes, data.info.multilabel, reads)


def _fresh_target(data: PreparedDataset, architecture: Architecture, seed: int, device: torch.device) -> nn.Module:
    """A target model with fresh weights that normalises images by the statistics of the training images."""
    target = fresh(architecture.build, seed, "target", device)
    for name, values in (("mean", data.info.mean), ("std", [value or 1.0 for value in data.info.std])):
        target.get_buffer(name).copy_(torch.tensor(values).view(1, -1, 1, 1))  # a constant channel is divided by 1
    return target


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
    code: str,
    shown: PreparedDataset | None = None,
) -> None:
    record = _record(data, schedule, job)
    identity = {
        **record,
        "architectures": {name: architecture.record() for name, (_, architecture) in products.items()},
        "code": code,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": str(objective.device),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    state = RESUME_FOLDER / f"{key}.safetensors"
    outcome = train(objective, shown or data, schedule, state, f"{job['role']} {data.task} seed {schedule.seed}")
    curve = outcome.curve
    if outcome.failure is not None:
        _write_failure(record, products, curve, outcome.failure)
    else:
        selected = curve[-1] if objective.last else min(curve, key=lambda row: row["selection"])
        record |= {"selected_epoch": int(selected["epoch"])}
        for name, (out, architecture) in products.items():
            objective.modules[name].load_state_dict(outcome.weights[name])
            saved = save_model(objective.modules[name], out, architecture, record)
            record = {"target": saved, **record}  # of the attack model beside
        _write_curve(products, curve)
    state.unlink(missing_ok=True)


def _fit(
    objective: PostHoc,
    data: PreparedDataset,
    shown: PreparedDataset,
    schedule: Schedule,
    job: dict[str, Any],
    products: dict[str, tuple[Path, Architecture]],
    attack: Model,
) -> None:
    """Fit an attack model in closed form, on the CPU: it takes minutes at most, and is not resumed."""
    record, validation = _record(data, schedule, job), Held(shown, "validation", objective.device)
    own, judged = objective.pairs(Held(shown, "train", objective.device)), objective.pairs(validation)
    (out, architecture), network = products["attack"], objective.modules["attack"]
    told = f"{job['role']} {data.task} seed {schedule.seed}"
    try:
        with Progress(None, told, "fits") as progress:
            seed = derive_seed(schedule.seed, "fit")
            attack.fit(network.cpu(), own, judged, seed, lambda done, all_: progress.advance(1, f"{done} of {all_}"))
            network.to(validation.device)
        curve = [{"epoch": 1, **evaluate(objective, validation)}]
    except (MemoryError, RuntimeError) as error:
        log.exception("the fit stopped")
        _write_failure(record, products, [], f"{type(error).__name__}: {' '.join(str(error).split())}")
        return
    save_model(network, out, architecture, record | {"selected_epoch": 1})
    _write_curve(products, curve)


def _record(data: PreparedDataset, schedule: Schedule, job: dict[str, Any]) -> dict[str, Any]:
    """What a model's record says beside its architecture."""
    info = data.info
    known = {"dataset": info.name, "task": data.task, "source": info.source, "data": info.fingerprint, "n": info.n}
    return known | {"schedule": schedule.record()} | job


def _write_failure(
    record: dict[str, Any], products: dict[str, tuple[Path, Architecture]], curve: list[Row], reason: str
) -> None:
    """Leave a training that failed as a result of its own, so that the study goes on and shows it."""
    log.error("training failed: %s", reason)
    for out, architecture in products.values():
        saved = save_failure(out, architecture, record, reason)
        record = {"target": saved, **record}
    _write_curve(products, curve)


def _write_curve(products: dict[str, tuple[Path, Architecture]], curve: list[Row]) -> None:
    """A CSV beside the first of the models, with a row for each epoch."""
    (first, _), *_ = products.values()
    names = list(curve[0]) if curve else ["epoch"]
    lines = [names, *([f"{row[name]:.8g}" for name in names] for row in curve)]
    write_text(first.with_suffix(".csv"), "".join(",".join(line) + "\n" for line in lines))
