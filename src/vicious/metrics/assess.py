"""Assess one attack on one target model: every measure of every test image, and their summary."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vicious.data.batches import EVALUATION_BATCH, batches
from vicious.data.prepared import PreparedDataset
from vicious.errors import CheckpointError
from vicious.files import atomic_path, write_json
from vicious.metrics.image import MSE_FLOOR, check_images, mse, psnr, ssim
from vicious.metrics.risk import (
    Covariance,
    Estimator,
    Whitening,
    label_design,
    load_covariance,
    risk,
    whiten,
    whiten_share,
)
from vicious.metrics.summary import interval
from vicious.models.attack import transmit
from vicious.models.checkpoint import check_fits, load_model, load_record, load_task, weights_hash
from vicious.training.losses import accuracy

MEASURES = ("accuracy", "mse", "psnr", "ssim", "risk", "risk95")
BASELINE_MEASURES = ("psnr_class_mean", "risk_class_mean", "risk95_class_mean")


def assess_risk(
    folder: Path,
    covariance_file: Path,
    target_weights: Path,
    attack_weights: Path,
    per_image: Path,
    summary: Path,
    gallery: Path,
    *,
    estimator: Estimator,
    cutoff: float,
    share: float,
    gallery_images: int,
    device: torch.device,
) -> None:
    """Measure an attack on the whole test set.

    Args:
        folder: a prepared dataset.
        covariance_file: its factorised covariance.
        target_weights, attack_weights: F and G.
        per_image: Parquet to write, a row per test image.
        summary: JSON to write, means with intervals.
        gallery: npz to write, the first test images and their reconstructions as uint8.
        estimator, cutoff, share: see :func:`vicious.metrics.risk.whiten` and :func:`~vicious.metrics.risk.whiten_share`.
        gallery_images: how many images the gallery keeps.

    Raises:
        CheckpointError: models and data do not belong together.
    """
    data = load_task(folder, target_weights)
    covariance = load_covariance(covariance_file)
    whitenings = {
        "risk": whiten(covariance, estimator, cutoff),
        "risk95": whiten_share(covariance, share),
    }
    frame, shown = measure(data, covariance, whitenings, target_weights, attack_weights, gallery_images, device)
    with atomic_path(per_image) as temporary:
        frame.to_parquet(temporary, index=False)
    with atomic_path(gallery) as temporary:
        np.savez(temporary, allow_pickle=False, **shown)
    write_json(summary, summarise(frame, data, covariance, whitenings, target_weights, attack_weights))


@torch.no_grad()
def measure(
    data: PreparedDataset,
    covariance: Covariance,
    whitenings: dict[str, Whitening],
    target_weights: Path,
    attack_weights: Path,
    gallery_images: int,
    device: torch.device,
) -> tuple[pd.DataFrame, dict[str, NDArray[Any]]]:
    """Every measure of every test image, in test order, and the gallery's arrays."""
    target, target_architecture = load_model(target_weights, "target")
    attack, architecture = load_model(attack_weights, "attack")
    check_fits(target_weights, target_architecture, data)
    check_fits(attack_weights, architecture, data)
    victim = load_record(attack_weights).get("target")
    if victim is not None and victim != weights_hash(target_weights):
        raise CheckpointError(
            f"{attack_weights} was trained on another target model than {target_weights}: use its own"
        )
    if architecture.reads is None:
        raise CheckpointError(f"{attack_weights.with_suffix('.json')} does not say what the attack model reads")
    target, attack = (model.to(device, memory_format=torch.channels_last) for model in (target, attack))
    columns: dict[str, list[NDArray[Any]]] = {}
    originals: list[NDArray[np.float32]] = []
    stolen: list[NDArray[np.float32]] = []
    for images, labels in batches(data, "test", EVALUATION_BATCH, device):
        logits = target(images)
        reconstructions = attack(transmit(logits, architecture.reads, architecture.multilabel))
        check_images(images, reconstructions)
        guesses = predicted_label_images(logits.cpu(), covariance, architecture.multilabel)
        rows = {
            "label": labels if labels.ndim == 1 else None,
            "predicted": logits.argmax(1) if labels.ndim == 1 else None,
            "accuracy": accuracy(logits, labels),
            "mse": mse(images, reconstructions),
            "psnr": psnr(images, reconstructions),
            "ssim": ssim(images, reconstructions),
        }
        for name, values in rows.items():
            if values is not None:
                columns.setdefault(name, []).append(values.cpu().numpy())
        x = images.cpu().double().contiguous().flatten(1).numpy()
        y = reconstructions.cpu().double().contiguous().flatten(1).numpy()
        for name, whitening in whitenings.items():
            columns.setdefault(name, []).append(risk(x, y, covariance.mean, whitening))
            columns.setdefault(f"{name}_class_mean", []).append(risk(x, guesses, covariance.mean, whitening))
        error = np.maximum(((x - guesses) ** 2).mean(1), MSE_FLOOR)
        columns.setdefault("psnr_class_mean", []).append(-10 * np.log10(error))
        if sum(len(batch) for batch in originals) < gallery_images:
            originals.append(images.cpu().numpy())
            stolen.append(reconstructions.cpu().numpy())
    shown = {
        "originals": _as_bytes(originals, gallery_images),
        "reconstructions": _as_bytes(stolen, gallery_images),
        "labels": np.asarray(data.labels("test")[:gallery_images]),
    }
    frame = pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
    frame.insert(0, "image", np.arange(len(frame)))
    return frame, shown


def predicted_label_images(logits: torch.Tensor, covariance: Covariance, multilabel: bool) -> NDArray[np.float64]:
    """What the predicted label alone gives away: the mean image of the predicted class, or the least-squares image for
    the predicted attributes; clipped to [0, 1].

    Shapes: (n, K) -> (n, d).
    """
    predicted = (logits >= 0).long().numpy() if multilabel else logits.argmax(1).numpy()
    return (label_design(predicted, logits.shape[1]) @ covariance.label_means).clip(0.0, 1.0)


def summarise(
    frame: pd.DataFrame,
    data: PreparedDataset,
    covariance: Covariance,
    whitenings: dict[str, Whitening],
    target_weights: Path,
    attack_weights: Path,
) -> dict[str, Any]:
    """Means over test images with 95% bootstrap intervals, and what they were computed from."""
    target_record, attack_record = load_record(target_weights), load_record(attack_weights)
    values: dict[str, Any] = {name: float(frame[name].mean()) for name in (*MEASURES, *BASELINE_MEASURES)}
    for name in ("psnr", "ssim", "risk", "risk95"):
        values[f"{name}_low"], values[f"{name}_high"] = interval(frame[name].to_numpy())
    d = covariance.mean.size
    return {
        "dataset": data.info.name,
        "task": data.task,
        "k": data.info.classes,
        "source": data.info.source,
        "role": target_record["role"],
        "attack": "posthoc" if attack_record["role"] == "posthoc" else "joint",
        "outputs": attack_record["outputs"],
        "beta_r": target_record["beta_r"],
        "seed": target_record["schedule"]["seed"],
        "n": len(frame),
        "n_perfect": int((frame["mse"] <= MSE_FLOOR).sum()),
        **values,
        "pixels": d,
        "covariance_images": covariance.images,
        "covariance_singular": covariance.images <= d,
        **{
            f"{name}_{key}": getattr(whitening, key)
            for name, whitening in whitenings.items()
            for key in ("rank", "share", "estimator")
        },
        "data": data.info.fingerprint,
        "target": {key: target_record[key] for key in ("architecture", "schedule", "beta_c")},
        "attacker": {key: attack_record[key] for key in ("architecture", "schedule")},
    }


def _as_bytes(batches: list[NDArray[np.float32]], count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray((np.concatenate(batches)[:count] * 255).round().astype(np.uint8))
