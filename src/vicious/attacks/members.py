"""Membership inference on a target model: does its loss tell training images from test images?"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vicious.data.batches import EVALUATION_BATCH, Held
from vicious.data.prepared import PreparedDataset
from vicious.metrics.answers import accuracy, answer_loss
from vicious.metrics.membership import loss_threshold
from vicious.models.checkpoint import check_fits, failure, load_model, load_record, load_task
from vicious.models.schedule import Schedule
from vicious.results.schema import TPR_COLUMNS, Membership
from vicious.system.errors import CheckpointError
from vicious.system.files import write_json
from vicious.system.randomness import derive_seed


def measure_membership(folder: Path, target_weights: Path, out: Path, *, device: torch.device) -> None:
    """Test whether a target model's loss tells its training images (members) from the test images (non-members).

    Writes a JSON, :class:`vicious.results.schema.MembershipRecord`: the loss-threshold test of
    :func:`vicious.metrics.membership.loss_threshold`, mean losses and accuracies of both. Images are not augmented, and
    the network is in evaluation mode. All test images are used, and as many members, or all where there are fewer.
    Where the training failed, the JSON says so, and has no number.

    Args:
        folder: a prepared dataset.
        target_weights: F.
        out: the JSON.

    Raises:
        CheckpointError: the model and the data do not belong together, or the model is damaged.
        MetricError: there are fewer than two members or test images.
    """
    data = load_task(folder, target_weights)
    record, reason = load_record(target_weights), failure(target_weights)
    facts: dict[str, Any] = dict.fromkeys(Membership.model_fields) | {
        "dataset": data.info.name,
        "task": data.task,
        "role": record["role"],
        "outputs": record["outputs"] or "",
        "beta_r": record["beta_r"],
        "seed": record["schedule"]["seed"],
        "status": "ok" if reason is None else "failed",
        "reason": reason or "",
        "source": data.info.source,
        "data": data.info.fingerprint,
        "weights": record["weights"],
        "target": {key: record[key] for key in ("architecture", "schedule")},
    }
    measured = _measured(data, target_weights, record, device) if reason is None else {}
    write_json(out, facts | measured)


def trained_on(record: dict[str, Any], count: int) -> NDArray[np.int64]:
    """Which of ``count`` training images the weights of a model have seen, ascending: those of the epochs up to the one
    that was selected, each of which may draw some of them.

    Args:
        record: of the model.

    Raises:
        CheckpointError: it does not tell the selected epoch.
    """
    schedule, epochs = Schedule(**record["schedule"]), record.get("selected_epoch")
    if epochs is None:
        raise CheckpointError("the model's record does not tell its selected_epoch: train the model again")
    seen = np.zeros(count, dtype=bool)
    for epoch in range(epochs):
        seen[schedule.order(epoch, count)] = True
    return np.flatnonzero(seen)


def draw_members(seen: NDArray[np.int64], count: int, wanted: int) -> NDArray[np.int64]:
    """As many of the images that were seen as are wanted, or all, ascending; drawn without replacement.

    All ``count`` training images have one order, the same for every model, of which the first that were seen are taken.
    So models that saw the same images are measured on the same ones.
    """
    order = np.random.default_rng(derive_seed(0, "members")).permutation(count)
    return np.sort(order[np.isin(order, seen)][:wanted])


def _measured(data: PreparedDataset, weights: Path, record: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """What the record of a model that was trained says beside the facts."""
    target, architecture = load_model(weights, "target")
    check_fits(weights, architecture, data)
    target = target.to(device, memory_format=torch.channels_last)
    outside, inside = Held(data, "test", device), Held(data, "train", device)
    seen = trained_on(record, len(inside))
    chosen = draw_members(seen, len(inside), wanted=len(outside))
    members, member_accuracy = _asked(target, inside, chosen)
    non_members, other_accuracy = _asked(target, outside, np.arange(len(outside)))
    found = loss_threshold(members, non_members)
    return {
        "trained_on": len(seen),
        "members": len(members),
        "non_members": len(non_members),
        "auc": found.auc,
        "auc_low": found.auc_low,
        "auc_high": found.auc_high,
        "advantage": found.advantage,
        "advantage_chance": found.advantage_chance,
        **dict(zip(TPR_COLUMNS, found.tpr, strict=True)),
        "loss_members": float(members.mean()),
        "loss_non_members": float(non_members.mean()),
        "accuracy_members": member_accuracy,
        "accuracy_non_members": other_accuracy,
    }


@torch.no_grad()
def _asked(target: nn.Module, held: Held, chosen: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """The loss of each chosen image (n,), and the mean accuracy."""
    losses, right = [], []
    for images, labels, _ in held.batches(EVALUATION_BATCH, chosen):
        logits = target(images)
        losses.append(answer_loss(logits, labels).cpu().numpy())
        right.append(accuracy(logits, labels).double().cpu().numpy())
    return np.concatenate(losses), float(np.concatenate(right).mean())
