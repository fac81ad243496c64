"""Score one target model with every detector, over samples of user images."""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vicious.data.batches import EVALUATION_BATCH, batches
from vicious.data.prepared import PreparedDataset
from vicious.defense.detector import Detector, Evidence
from vicious.defense.detectors import BY_NAME
from vicious.models.checkpoint import check_fits, failure, load_model, load_record, load_task
from vicious.models.evaded import evasion_of
from vicious.models.hidden import Hiding
from vicious.models.kinds import Code
from vicious.system.errors import MetricError
from vicious.system.files import write_csv
from vicious.system.randomness import derive_seed

log = logging.getLogger(__name__)


def evaluate_defense(
    folder: Path,
    target_weights: Path,
    out: Path,
    *,
    detectors: Sequence[str],
    user_images: Sequence[int],
    draws: int,
    device: torch.device,
    hidden: Code | None = None,
) -> dict[str, dict[str, float]]:
    """Score one target model with some detectors; the user's images are drawn from the test set.

    Writes a CSV with a row per detector, number of user images and draw. A sample that a detector cannot score is a row
    with status "failed" and the reason. The samples are the same for every model of a dataset: see :func:`samples`.

    Args:
        folder: a prepared dataset.
        target_weights: the model F to be judged.
        detectors: names out of :data:`vicious.defense.detectors.BY_NAME`.
        user_images: numbers n of user images.
        draws: samples per number.
        hidden: how the server hides the code in the model's outputs (:mod:`vicious.models.hidden`); None: not at all.

    Returns:
        Seconds that a verdict took, mean over draws, by detector and number of images; empty where the training failed.
    """
    data = load_task(folder, target_weights)
    record = load_record(target_weights)
    failed = failure(target_weights)
    model = None if failed else _Model(data, target_weights, device, hidden)
    logits = None if model is None else model.test_logits(data)
    images, labels = data.images("test"), np.asarray(data.labels("test"))
    rows: list[dict[str, Any]] = []
    seconds: dict[str, dict[str, float]] = {}
    for n in user_images:
        if n <= len(labels) < n * draws:
            log.warning(
                "%d samples of %d share images: there are %d. Lower draws or user_images, or take more test images.",
                *(draws, n, len(labels)),
            )
        for draw, own in enumerate(samples(len(labels), n, draws)):
            for detector in (BY_NAME[name] for name in detectors):
                start = time.perf_counter()
                if model is None or logits is None:
                    verdict = _failed(f"the target model's training failed: {failed}")
                else:
                    verdict = _score(detector, n, np.asarray(images[own]), labels[own], logits[own], model, draw)
                    taken = seconds.setdefault(detector.name, {})
                    taken[str(n)] = taken.get(str(n), 0.0) + (time.perf_counter() - start) / draws
                rows.append(
                    {
                        "dataset": data.info.name,
                        "task": data.task,
                        "role": record["role"],
                        "outputs": record["outputs"] or "",
                        "beta_r": record["beta_r"],
                        "recipe": record.get("recipe") or "",
                        **evasion_of(record),
                        "hidden": hidden or "",
                        "seed": record["schedule"]["seed"],
                        "detector": detector.name,
                        "n_user": n,
                        "draw": draw,
                        **verdict,
                    }
                )
    write_csv(pd.DataFrame(rows), out)
    return seconds


def samples(count: int, n: int, draws: int) -> Iterator[NDArray[np.int64]]:
    """The places, out of ``count`` test images, of the n images of each sample; all images where there are fewer.

    Samples share no images as long as the test images suffice, whose order is then drawn anew.
    """
    fit = max(count // n, 1)
    for draw in range(draws):
        order = np.random.default_rng(derive_seed(draw // fit, "user images", n)).permutation(count)
        yield order[draw % fit * n :][:n]


class _Model:
    """The target model as a user holds it."""

    def __init__(self, data: PreparedDataset, weights: Path, device: torch.device, hidden: Code | None) -> None:
        target, architecture = load_model(weights, "target")
        check_fits(weights, architecture, data)
        if hidden is not None:
            target = Hiding(target, hidden, architecture.multilabel).eval()
        self.module = target.to(device, memory_format=torch.channels_last)
        self._device = device

    @torch.no_grad()
    def query(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits (m, K) of images (m, C, H, W) in [0, 1]."""
        parts = torch.from_numpy(images).split(EVALUATION_BATCH)
        return np.concatenate([self.module(part.to(self._device)).cpu().double().numpy() for part in parts])

    @torch.no_grad()
    def test_logits(self, data: PreparedDataset) -> NDArray[np.float64]:
        """Logits (N, K) of the test set, from which the user's images are drawn."""
        shown = batches(data, "test", EVALUATION_BATCH, self._device)
        return np.concatenate([self.module(images).cpu().double().numpy() for images, _ in shown])


def _score(
    detector: Detector,
    n: int,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    logits: NDArray[np.float64],
    model: _Model,
    draw: int,
) -> dict[str, Any]:
    try:
        if len(images) < n:
            raise MetricError(f"the test set has only {len(images)} images, {n} were asked for")
        pixels = (images / 255.0).astype(np.float32)
        own = Evidence(pixels, labels, logits, model.query, model.module, seed=draw)
        return {"score": detector.score(own), "status": "ok", "reason": ""}
    except (MetricError, np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:
        return _failed(str(error))


def _failed(reason: str) -> dict[str, Any]:
    return {"score": None, "status": "failed", "reason": reason}
