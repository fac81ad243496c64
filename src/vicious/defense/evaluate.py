"""Score one target model with every detector, over samples of user images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vicious.data.batches import EVALUATION_BATCH, batches
from vicious.data.prepared import PreparedDataset
from vicious.defense.detector import Detector, Evidence
from vicious.defense.linear_decodability import LINEAR_DECODABILITY
from vicious.errors import MetricError
from vicious.files import write_csv
from vicious.models.checkpoint import check_fits, failure, load_model, load_record, load_task
from vicious.randomness import derive_seed

DETECTORS: tuple[Detector, ...] = (LINEAR_DECODABILITY,)


def evaluate_defense(
    folder: Path, target_weights: Path, out: Path, *, user_images: list[int], draws: int, device: torch.device
) -> None:
    """Score one target model with every detector; the user's images are drawn from the test set.

    Writes a CSV with a row per detector, number of user images and draw. A sample that a detector cannot score is a row
    with status "failed" and the reason. The draws are the same for every model of a dataset.

    Args:
        folder: a prepared dataset.
        target_weights: the model F to be judged.
        user_images: numbers n of user images.
        draws: samples per number.
    """
    data = load_task(folder, target_weights)
    record = load_record(target_weights)
    failed = failure(target_weights)
    logits = None if failed else _logits(data, target_weights, device)
    images, labels = data.images("test"), np.asarray(data.labels("test"))
    rows: list[dict[str, Any]] = []
    for n in user_images:
        for draw in range(draws):
            own = np.random.default_rng(derive_seed(draw, "user images", n)).permutation(len(labels))[:n]
            for detector in DETECTORS:
                rows.append(
                    {
                        "dataset": data.info.name,
                        "task": data.task,
                        "role": record["role"],
                        "outputs": record["outputs"] or "",
                        "beta_r": record["beta_r"],
                        "seed": record["schedule"]["seed"],
                        "detector": detector.name,
                        "n_user": n,
                        "draw": draw,
                        **(
                            _failed(f"the target model's training failed: {failed}")
                            if logits is None
                            else _score(detector, n, np.asarray(images[own]), labels[own], logits[own])
                        ),
                    }
                )
    write_csv(pd.DataFrame(rows), out)


def _score(
    detector: Detector, n: int, images: NDArray[np.uint8], labels: NDArray[Any], logits: NDArray[np.float64]
) -> dict[str, Any]:
    try:
        if len(images) < n:
            raise MetricError(f"the test set has only {len(images)} images, {n} were asked for")
        pixels = images.reshape(len(images), -1) / 255.0
        return {
            "score": detector.score(Evidence(pixels, labels.astype(np.int64), logits)),
            "status": "ok",
            "reason": "",
        }
    except (MetricError, np.linalg.LinAlgError) as error:
        return _failed(str(error))


def _failed(reason: str) -> dict[str, Any]:
    return {"score": None, "status": "failed", "reason": reason}


@torch.no_grad()
def _logits(data: PreparedDataset, target_weights: Path, device: torch.device) -> NDArray[np.float64]:
    target, architecture = load_model(target_weights, "target")
    check_fits(target_weights, architecture, data)
    target = target.to(device, memory_format=torch.channels_last)
    parts = [target(images).cpu().double().numpy() for images, _ in batches(data, "test", EVALUATION_BATCH, device)]
    return np.concatenate(parts)
