"""Score one target model with some detectors, over samples of user images."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
from numpy.typing import NDArray

from vicious.data.batches import EVALUATION_BATCH, batches
from vicious.data.prepared import PreparedDataset
from vicious.defense.detector import Detector, Evidence, find_detector
from vicious.defense.evaluation.verdicts import Verdict, Verdicts, keep, kept
from vicious.models.checkpoint import check_fits, failure, load_model, load_record, load_task
from vicious.models.evaded import evasion_of
from vicious.models.hidden import Hiding
from vicious.results.schema import DETECTION
from vicious.system.errors import MetricError
from vicious.system.files import digest
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
    hidden: str | None = None,
    identities: Mapping[str, str] | None = None,
) -> dict[str, dict[str, float]]:
    """Score one target model with some detectors; the user's images are drawn from the test set.

    Writes a CSV with a row per detector, number of user images and draw. A sample that a detector cannot score is a row
    with status "failed" and the reason. :func:`samples` are the same for every model of a dataset. Verdicts that were
    made before, by the same code on the same model, are taken as they are.

    Args:
        folder: a prepared dataset.
        detectors: names of files in :data:`vicious.defense.detector.PACKAGE`.
        user_images: numbers n of user images.
        draws: samples per number.
        hidden: how the server hides the code in the model's outputs (:mod:`vicious.models.hidden`); None: not at all.
        identities: detector -> identity of all code that makes its verdicts, this module and the model's included;
            verdicts of a detector that has none are neither kept nor taken.

    Returns:
        Seconds that a verdict took, mean over draws, by detector and number of images; empty where the training failed.
    """
    data = load_task(folder, target_weights)
    record = load_record(target_weights)
    failed = failure(target_weights)
    if failed is None:
        for n in user_images:
            if n <= len(data.labels("test")) < n * draws:
                log.warning(
                    "%d samples of %d share images: there are %d. Lower draws or user_images, or use more test images.",
                    *(draws, n, len(data.labels("test"))),
                )
        asked = _Asked(data, target_weights, tuple(user_images), draws, device, hidden)
        verdicts = _judge(asked, detectors, identities or {}, record)
    else:
        lost = Verdict(None, "failed", f"the target model's training failed: {failed}")
        verdicts = dict.fromkeys(detectors, Verdicts({str(n): [lost] * draws for n in user_images}))
    model = {
        "dataset": data.info.name,
        "task": data.task,
        "role": record["role"],
        "outputs": record["outputs"] or "",
        "beta_r": record["beta_r"],
        "recipe": record.get("recipe") or "",
        **evasion_of(record),
        "hidden": hidden or "",
        "seed": record["schedule"]["seed"],
    }
    rows = [
        {**model, "detector": name, "n_user": n, "draw": draw, **vars(verdicts[name].of[str(n)][draw])}
        for n in user_images
        for draw in range(draws)
        for name in detectors
    ]
    DETECTION.write(DETECTION.frame(rows), out)
    return {} if failed else {name: found.seconds for name, found in verdicts.items()}


def samples(count: int, n: int, draws: int) -> Iterator[NDArray[np.int64]]:
    """The places, out of ``count`` test images, of the n images of each sample; all images where there are fewer.

    Samples share no images as long as the test images suffice, whose order is then drawn anew.
    """
    fit = max(count // n, 1)
    for draw in range(draws):
        order = np.random.default_rng(derive_seed(draw // fit, "user images", n)).permutation(count)
        yield order[draw % fit * n :][:n]


@dataclass
class _Asked:
    """What is asked of every detector: a model, as a user holds it, and samples of user images."""

    data: PreparedDataset
    weights: Path
    user_images: tuple[int, ...]
    draws: int
    device: torch.device
    hidden: str | None

    def identity(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What verdicts depend on, beside the detector and code."""
        return {
            "weights": digest(self.weights),
            "architecture": record["architecture"],
            "hidden": self.hidden,
            "data": self.data.info.fingerprint,
            "task": self.data.task,
            "as_many_as": record["as_many_as"],
            "user_images": list(self.user_images),
            "draws": self.draws,
            "threads": torch.get_num_threads(),
            "device": str(self.device),
            "libraries": [torch.__version__, np.__version__, scipy.__version__],
        }

    def load(self) -> None:
        """Load the model and take its logits (N, K) of the test set, from which the user's images are drawn."""
        target, architecture = load_model(self.weights, "target")
        check_fits(self.weights, architecture, self.data)
        if self.hidden is not None:
            target = Hiding(target, self.hidden, architecture.multilabel).eval()
        self._module = target.to(self.device, memory_format=torch.channels_last)
        self._images, self._labels = self.data.images("test"), np.asarray(self.data.labels("test"))
        shown = batches(self.data, "test", EVALUATION_BATCH, self.device)
        with torch.no_grad():
            self._logits = np.concatenate([self._module(images).cpu().double().numpy() for images, *_ in shown])

    def verdicts(self, detector: Detector) -> Verdicts:
        """Those of one detector on the loaded model."""
        found = Verdicts()
        for n in self.user_images:
            made, taken = [], 0.0
            for draw, own in enumerate(samples(len(self._labels), n, self.draws)):
                start = time.perf_counter()
                made.append(self._verdict(detector, n, own, draw))
                taken += (time.perf_counter() - start) / self.draws
            found.of[str(n)], found.seconds[str(n)] = made, taken
        return found

    def _verdict(self, detector: Detector, n: int, own: NDArray[np.int64], draw: int) -> Verdict:
        try:
            if len(own) < n:
                raise MetricError(f"the test set has only {len(own)} images, {n} were asked for")
            pixels = (np.asarray(self._images[own]) / 255.0).astype(np.float32)
            evidence = Evidence(pixels, self._labels[own], self._logits[own], self._query, self._module, seed=draw)
            return Verdict(detector.score(evidence))
        except (MetricError, np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
            return Verdict(None, "failed", str(error))

    @torch.no_grad()
    def _query(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits (m, K) of images (m, C, H, W) in [0, 1]."""
        parts = torch.from_numpy(images).split(EVALUATION_BATCH)
        return np.concatenate([self._module(part.to(self.device)).cpu().double().numpy() for part in parts])


def _judge(
    asked: _Asked, detectors: Sequence[str], identities: Mapping[str, str], record: Mapping[str, Any]
) -> dict[str, Verdicts]:
    """The verdicts of each detector: those kept, or else made now, and kept as soon as a detector is done."""
    every = asked.identity(record)
    named = {name: {**every, "detector": name, "code": code} for name, code in identities.items()}
    found = {name: kept(named[name]) if name in named else None for name in detectors}
    missing = [name for name in detectors if found[name] is None]
    there, lacking = (", ".join(sorted(names)) or "none" for names in (found.keys() - set(missing), missing))
    log.info("verdicts kept: %s; judged now: %s", there, lacking)
    if missing:
        asked.load()
    for name in missing:
        found[name] = verdicts = asked.verdicts(find_detector(name))
        if name in named:
            keep(named[name], verdicts)
    return {name: verdicts for name, verdicts in found.items() if verdicts is not None}
