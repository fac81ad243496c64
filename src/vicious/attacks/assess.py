"""Assess one attack on one target model: every measure of every test image, and their summary."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from vicious.attacks.pair import Pair, noise_of
from vicious.attacks.validation import on_validation
from vicious.data.batches import EVALUATION_BATCH, Batch, batches
from vicious.data.prepared import PreparedDataset
from vicious.metrics import measures
from vicious.metrics.answers import accuracy, answer_accuracy, calibration_error
from vicious.metrics.bootstrap import interval
from vicious.metrics.estimators import estimators
from vicious.metrics.identification import Candidates, chance
from vicious.metrics.image import MSE_FLOOR, decibels
from vicious.metrics.risk import (
    Array,
    Covariance,
    Estimator,
    Whitening,
    distances,
    energies,
    label_design,
    label_images,
    load_covariance,
    risk_of_distances,
    whiten,
    whiten_share,
)
from vicious.metrics.tails import mean_of_largest, percentile99
from vicious.mitigations import parse_outputs, probabilities_of
from vicious.models.checkpoint import check_attacks, failure, load_record, load_task
from vicious.models.evaded import evasion_of
from vicious.results.files import assessment_files
from vicious.results.schema import BASELINE, ESTIMATORS_OF_ONE, INTERVALS, PER_IMAGE, PLACES
from vicious.system.files import atomic_path, write_json


def assess_risk(
    folder: Path,
    covariance_file: Path,
    target_weights: Path,
    attack_weights: Path,
    out: Path,
    *,
    estimator: Estimator,
    cutoff: float,
    gallery_images: int,
    device: torch.device,
) -> None:
    """Measure an attack on the whole test set of the target model's task, and on its validation images.

    Writes into ``out``, with A the name of the attack's weights: ``risk-A.parquet``, a row per test image;
    ``risk-A.json``, means with intervals; ``estimators-A.csv``, the risk under every estimator; ``gallery-A.npz``, test
    images and their reconstructions as uint8. Where a training failed they say so, and hold no image.

    Args:
        folder, covariance_file: a prepared dataset and its factorised covariance.
        target_weights, attack_weights: F and G.
        estimator, cutoff: of ``risk``, see :func:`vicious.metrics.risk.whiten`; ``risk95`` is by its name that of
            :func:`~vicious.metrics.risk.whiten_share` with 0.95.
        gallery_images: how many images the gallery keeps: the first, and those with the highest and lowest ``risk95``.

    Raises:
        CheckpointError: models and data do not belong together.
    """
    data = load_task(folder, target_weights)
    reason = failure(attack_weights) or failure(target_weights)
    check_attacks(attack_weights, target_weights)
    facts = _facts(data, target_weights, attack_weights)
    if reason is not None:
        frame, profile, shown = _nothing(data)
        record = {**facts, "status": "failed", "reason": reason}
    else:
        pair = Pair(data, target_weights, attack_weights, device)
        covariance = load_covariance(covariance_file, data.info.fingerprint)
        headline = {"risk": whiten(covariance, estimator, cutoff), "risk95": whiten_share(covariance, 0.95)}
        measured = _Measured(data, covariance, headline, pair)
        frame, profile = measured.frame(), measured.profile()
        shown = _gallery(data, measured, pair, frame, gallery_images)
        record = {**facts, "status": "ok", "reason": "", **summarise(frame, covariance, headline)}
        record["calibration_error"] = measured.calibration_error()
        record["validation"] = on_validation(data, covariance, headline, pair)
        if data.info.multilabel:
            record["attributes"] = measured.attributes()
    files = assessment_files(out / f"risk-{attack_weights.stem}.json")
    with atomic_path(files.images) as temporary:
        frame.to_parquet(temporary, index=False)
    ESTIMATORS_OF_ONE.write(profile, files.estimators)
    with atomic_path(files.gallery) as temporary:
        np.savez(temporary, allow_pickle=False, **shown)
    write_json(files.summary, record)


class _Measured:
    """Every measure of the test set, taken batch by batch: memory holds numbers per image, never the images.

    There are two passes: what is sent of all images is known before the first reconstruction, since an original is also
    sought among the images with the same answer. The images among which it is sought are read anew for each batch.
    """

    def __init__(
        self, data: PreparedDataset, covariance: Covariance, headline: dict[str, Whitening], pair: Pair
    ) -> None:
        self._data, self._pair = data, pair
        self._columns: dict[str, list[NDArray[Any]]] = defaultdict(list)
        self._profile: dict[tuple[str, str], list[NDArray[Any]]] = defaultdict(list)
        self._right: list[NDArray[Any]] = []
        self._guesses = label_images(covariance, data.outputs_used, data.info.multilabel, data.groups)
        self._covariance, self._headline, self._estimators = covariance, headline, estimators(covariance)
        self._covariance32 = covariance.single()
        self._estimators32 = estimators(self._covariance32)
        noise = noise_of("test")
        told = [pair.send(images, noise) for images, *_ in self._batches()]
        self._logits, self._sent = (torch.cat(parts) for parts in zip(*told, strict=True))
        self._same = same_answers(self._logits.cpu(), data.info.multilabel)
        images = data.images("test")
        self._candidates = Candidates(images.reshape(len(images), -1), self._same)
        for batch in self._batches():
            self._add(batch)

    def _batches(self) -> Iterator[Batch]:
        return batches(self._data, "test", EVALUATION_BATCH, self._pair.device)

    def _add(self, batch: Batch) -> None:
        images, labels, chosen = batch
        logits, sent = self._logits[chosen], self._sent[chosen]
        reconstructions = self._pair.steal(sent)
        found: dict[str, Tensor] = {}
        several, own = labels.ndim > 1, parse_outputs(self._pair.outputs).plain
        if several:
            self._right.append(((logits >= 0) == (labels > 0)).cpu().numpy())
        else:
            found |= {"label": labels, "predicted": logits.argmax(1)}
        found["accuracy"] = accuracy(logits, labels) if own else answer_accuracy(sent, labels)
        found |= {name: measures.function(name)(images, reconstructions) for name in measures.names()}
        for name, values in found.items():
            self._columns[name].append(values.cpu().numpy())
        x, y = (batch.cpu().double().contiguous().flatten(1).numpy() for batch in (images, reconstructions))
        guesses = guess_by_label(logits.cpu(), self._guesses, several)
        self._columns["psnr_class_mean"].append(decibels(((x - guesses) ** 2).mean(1)))
        self._add_risks(x, y, guesses)
        self._add_places(y, guesses, chosen.cpu().numpy())

    def _add_places(self, y: Array, guesses: Array, chosen: NDArray[np.int64]) -> None:
        _, first, of = np.unique(self._same[chosen], return_index=True, return_inverse=True)  # guesses that differ
        every, same = self._candidates.find(y, chosen)
        guessed, _ = self._candidates.find(guesses[first], chosen, of)
        found = {"top1": every.top(1), "top10": every.top(10), "original_rank": every.rank}
        found |= {"top1_same_answer": same.top(1), "top10_same_answer": same.top(10)}
        found |= {"original_rank_same_answer": same.rank, "top1_class_mean": guessed.top(1)}
        for name, values in found.items():
            self._columns[name].append(values.astype(np.float32))
        self._columns["same_answer"].append(same.candidates)

    def _add_risks(self, x: Array, y: Array, guesses: Array) -> None:
        covariance, single = self._covariance, self._covariance32
        by_mean, by_attack, by_label = (energies(x - other, covariance) for other in (covariance.mean, y, guesses))
        of_headline = (distances(energy, self._headline.values()) for energy in (by_mean, by_attack, by_label))
        for name, mean, attack, label in zip(self._headline, *of_headline, strict=True):
            for column, distance in ((name, attack), (f"{name}_class_mean", label)):
                self._columns[column].append(risk_of_distances(mean, distance))
        x32, y32 = x.astype(np.float32), y.astype(np.float32)
        mean32, attack32 = energies(x32 - single.mean, single), energies(x32 - y32, single)  # type: ignore[arg-type]
        of_estimators = (distances(energy, self._estimators) for energy in (by_mean, by_attack, by_label))
        of_single = (distances(energy, self._estimators32) for energy in (mean32, attack32))
        total, by_direction = np.maximum(by_attack.sum(1), MSE_FLOOR), np.ascontiguousarray(by_attack.T)
        for whitening, *found in zip(self._estimators, *of_estimators, *of_single, strict=True):
            (mean, attack, label, own_mean, own_attack), name = found, whitening.estimator
            self._columns[name].append(risk_of_distances(mean, attack))
            self._profile[name, "risk_class_mean"].append(risk_of_distances(mean, label))
            self._profile[name, "risk_float32"].append(risk_of_distances(own_mean, own_attack))
            self._profile[name, "error_outside"].append(by_direction[~whitening.kept].sum(0) / total)

    def frame(self) -> pd.DataFrame:
        """A row per test image, in test order; columns of estimators, which are no headline, in single precision."""
        names = {whitening.estimator for whitening in self._estimators}
        columns = {
            name: np.concatenate(parts).astype(np.float32 if name in names else parts[0].dtype)
            for name, parts in self._columns.items()
        }
        frame = pd.DataFrame(columns)
        frame.insert(0, "image", np.arange(len(frame)))
        return frame

    def profile(self) -> pd.DataFrame:
        """A row per estimator: the mean risk, what it keeps, and what float32 makes of it."""
        rows = [
            {
                "estimator": whitening.estimator,
                "kind": whitening.kind,
                "parameter": whitening.parameter,
                "rank": whitening.rank,
                "pixels": self._covariance.mean.size,
                "share": whitening.share,
                "risk": np.concatenate(self._columns[whitening.estimator]).mean(),
                **{
                    column: np.concatenate(self._profile[whitening.estimator, column]).mean()
                    for column in ("risk_class_mean", "risk_float32", "error_outside")
                },
            }
            for whitening in self._estimators
        ]
        return ESTIMATORS_OF_ONE.frame(rows)

    def sent(self, indices: NDArray[np.int64]) -> Tensor:
        """What the user sent of some test images."""
        return self._sent[torch.from_numpy(indices.copy())]

    def calibration_error(self) -> float:
        """Of what was sent of all test images."""
        labels = torch.from_numpy(np.asarray(self._data.labels("test"), dtype=np.int64))
        return calibration_error(probabilities_of(self._sent.cpu(), self._pair.outputs, self._pair.multilabel), labels)

    def attributes(self) -> list[dict[str, Any]]:
        """Accuracy of each attribute on the test set, beside the rate of the commoner value.

        ``balanced`` is the mean of the accuracies on images with and without the attribute, 1/2 by guessing; None where
        all images have it or none has.
        """
        right, labels = np.concatenate(self._right), self._data.labels("test")
        names = self._data.info.label_names or tuple(str(index) for index in range(labels.shape[1]))
        return [
            {
                "attribute": name,
                "accuracy": float(right[:, index].mean()),
                "balanced": _balanced(right[:, index], labels[:, index] > 0),
                "majority": float(max(labels[:, index].mean(), 1 - labels[:, index].mean())),
                "positives": int(labels[:, index].sum()),
            }
            for index, name in enumerate(names)
        ]


def _balanced(right: NDArray[np.bool_], positive: NDArray[np.bool_]) -> float | None:
    if positive.all() or not positive.any():
        return None
    return float((right[positive].mean() + right[~positive].mean()) / 2)


def guess_by_label(logits: Tensor, images: Array, multilabel: bool) -> Array:
    """What the predicted label alone gives away: the mean image of the predicted class, or the least-squares image for
    the predicted attributes; clipped to [0, 1].

    Shapes: (n, K), images as :func:`vicious.metrics.risk.label_images` makes them -> (n, d).
    """
    return (label_design(_answers(logits, multilabel), logits.shape[1]) @ images).clip(0.0, 1.0)


def same_answers(logits: Tensor, multilabel: bool) -> NDArray[np.int64]:
    """Whole numbers that are alike where the predicted class is, or all predicted attributes are. (n, K) -> (n,)."""
    alike: NDArray[np.int64] = np.unique(_answers(logits, multilabel), axis=0, return_inverse=True)[1].reshape(-1)
    return alike


def _answers(logits: Tensor, multilabel: bool) -> NDArray[np.int64]:
    """Predicted classes (n,), or attributes in {0, 1} (n, K), of logits (n, K)."""
    answers: NDArray[np.int64] = ((logits >= 0).long() if multilabel else logits.argmax(1)).numpy()
    return answers


_STATISTICS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "median_rank": ("original_rank", np.median),
    "median_rank_same_answer": ("original_rank_same_answer", np.median),
    "psnr_p99": ("psnr", percentile99),
    "psnr_worst1": ("psnr", mean_of_largest),
}
"""Statistics over test images that are no means: of which column, and which."""


def summarise(frame: pd.DataFrame, covariance: Covariance, headline: dict[str, Whitening]) -> dict[str, Any]:
    """Means and other statistics over test images with 95% bootstrap intervals, and what the risks were computed from.

    The intervals are over images whose originals are sought; the candidates stay the same.
    """
    values: dict[str, Any] = {name: float(frame[name].mean()) for name in (*PER_IMAGE, *BASELINE)}
    values |= {name: float(statistic(frame[column])) for name, (column, statistic) in _STATISTICS.items()}
    for name in INTERVALS:
        column, statistic = _STATISTICS.get(name, (name, np.mean))
        values[f"{name}_low"], values[f"{name}_high"] = interval(frame[column].to_numpy(), statistic)
    for end, candidates in (("", np.full(len(frame), len(frame))), ("_same_answer", frame["same_answer"].to_numpy())):
        values |= {f"top{k}{end}_chance": float(chance(k, candidates).mean()) for k in (1, 10)}
        values[f"median_rank{end}_share"] = float(np.median(frame[f"original_rank{end}"] / candidates))
    d = covariance.mean.size
    return {
        "n": len(frame),
        "n_perfect": int((frame["mse"] <= MSE_FLOOR).sum()),
        **values,
        "pixels": d,
        "covariance_images": covariance.images,
        "covariance_singular": covariance.images <= d,
        **{
            f"{name}_{key}": getattr(whitening, key)
            for name, whitening in headline.items()
            for key in ("rank", "share", "estimator")
        },
    }


def _facts(data: PreparedDataset, target_weights: Path, attack_weights: Path) -> dict[str, Any]:
    """What was attacked, by what, and from which settings: the same whether it failed or not."""
    target, attack = load_record(target_weights), load_record(attack_weights)
    return {
        "dataset": data.info.name,
        "task": data.task,
        "k": data.info.classes,
        "source": data.info.source,
        "role": target["role"],
        "attack": _attack_name(attack),
        "means": attack.get("means", ""),
        "outputs": attack["outputs"],
        "trained_for": target["outputs"] or "",
        "beta_c": target["beta_c"],
        "beta_r": target["beta_r"],
        **evasion_of(target),
        "seed": target["schedule"]["seed"],
        "label_names": list(data.info.label_names),
        "data": data.info.fingerprint,
        "images": data.info.n,
        "target": {key: target[key] for key in ("architecture", "schedule")},
        "attacker": {key: attack[key] for key in ("architecture", "schedule")},
    }


def _attack_name(record: dict[str, Any]) -> str:
    """How an attack model was trained, and which one it is unless it is the original's."""
    trained = "posthoc" if record["role"] == "posthoc" else "joint"
    name = record["architecture"].get("model")
    return trained if name is None else f"{trained}-{name}"


def _nothing(data: PreparedDataset) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, NDArray[Any]]]:
    """The results of an attack that could not be assessed: the same files, without an image."""
    labels = [] if data.info.multilabel else ["label", "predicted"]
    frame = pd.DataFrame(columns=["image", *labels, *PER_IMAGE, *PLACES, *BASELINE])
    images = np.empty((0, data.info.channels, 32, 32), np.uint8)
    shown: dict[str, NDArray[Any]] = {"originals": images, "reconstructions": images, "labels": np.empty(0, np.int64)}
    for end in ("highest", "lowest"):
        shown |= {f"{end}_originals": images, f"{end}_reconstructions": images}
        shown |= {f"{end}_risk95": np.empty(0), f"{end}_image": np.empty(0, np.int64)}
    return frame, ESTIMATORS_OF_ONE.frame([]), shown


def _gallery(
    data: PreparedDataset, measured: _Measured, pair: Pair, frame: pd.DataFrame, count: int
) -> dict[str, NDArray[Any]]:
    """The first test images, and those with the highest and the lowest ``risk95``, with their reconstructions."""
    by_risk = frame["risk95"].sort_values(kind="stable").index.to_numpy()
    chosen = {"": np.arange(min(count, len(frame))), "highest_": by_risk[::-1][:count], "lowest_": by_risk[:count]}
    shown: dict[str, NDArray[Any]] = {}
    for prefix, indices in chosen.items():
        originals, reconstructions = zip(*_reconstruct(data, measured, pair, indices), strict=True)
        shown[f"{prefix}originals"] = np.concatenate(originals)
        shown[f"{prefix}reconstructions"] = np.concatenate(reconstructions)
        if prefix:
            shown[f"{prefix}risk95"] = frame["risk95"].to_numpy()[indices]
            shown[f"{prefix}image"] = indices
    shown["labels"] = data.labels("test")[chosen[""]]
    return shown


def _reconstruct(
    data: PreparedDataset, measured: _Measured, pair: Pair, indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    images = data.images("test")
    for start in range(0, len(indices), EVALUATION_BATCH):
        chosen = indices[start : start + EVALUATION_BATCH]
        reconstructions = pair.steal(measured.sent(chosen).to(pair.device))
        yield np.ascontiguousarray(images[chosen]), (reconstructions.cpu().numpy() * 255).round().astype(np.uint8)
