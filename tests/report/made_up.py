"""Made-up summaries, detection scores and galleries in the shapes that the pipeline writes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vicious.data.tasks import parse_task
from vicious.results.schema import BASELINE, IDENTIFIED, IN_SUMMARY, INTERVALS, MEASURES, MEDIANS, Membership
from vicious.study.grid import task_outputs

ALL = ("mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet", "celeba")
_ACCURACY = {
    "mnist": 0.978,
    "fashion_mnist": 0.903,
    "cifar10": 0.871,
    "cifar100": 0.62,
    "tiny_imagenet": 0.48,
    "celeba": 0.885,
}
_EMPTY = dict.fromkeys(
    (
        *("n", *IN_SUMMARY, *BASELINE, "rank", "rank95", "n_perfect"),
        *("pixels", "covariance_images", "share_kept", "calibration_error"),
        *(f"{name}_{end}" for name in INTERVALS for end in ("low", "high")),
    ),
    np.nan,
) | {"estimator": ""}


def summary(
    tasks: tuple[str, ...] = ("mnist", "cifar10"),
    seeds: int = 3,
    betas: tuple[float, ...] = (3.0,),
    outputs: tuple[str, ...] = ("logits",),
    failed: tuple[tuple[str, str, int], ...] = (),
    synthetic: tuple[str, ...] = (),
    autoencoder: tuple[str, ...] = (),
) -> pd.DataFrame:
    """A summary; ``failed`` holds (task, role, seed), ``synthetic`` datasets, ``autoencoder`` outputs that have one."""
    generator = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    for task in tasks:
        parsed = parse_task(task)
        for kind in outputs:
            models = [("honest", 0.0), *(("vicious", beta) for beta in betas)]
            models += [("autoencoder", 1.0)] if kind in autoencoder else []
            for role, beta in models:
                for seed in range(seeds):
                    key = {
                        "dataset": parsed.dataset,
                        "task": task,
                        "k": task_outputs(parsed),
                        "role": role,
                        "attack": "posthoc" if role == "honest" else "joint",
                        "means": "",
                        "chosen": "",
                        "outputs": kind,
                        "trained_for": "" if role == "honest" else kind,
                        "beta_r": beta,
                        "evades": "",
                        "evasion": 0.0,
                        "seed": seed,
                        "source": "synthetic" if parsed.dataset in synthetic else "official",
                    }
                    measures = _measures(parsed.dataset, task_outputs(parsed), role, beta, kind, generator)
                    if (task, role, seed) in failed:
                        state = {"status": "failed", "reason": "loss is not finite; step 12 & 50% of grad_norm"}
                        rows.append(key | state | _EMPTY)
                    else:
                        rows.append(key | {"status": "ok", "reason": ""} | measures)
    return pd.DataFrame(rows)


def with_best(frame: pd.DataFrame, gain: float = 1.0) -> pd.DataFrame:
    """A summary with another attack, the best one, on every model: PSNR is larger by ``gain`` dB, R95 by a tenth of
    it."""
    other = frame.assign(attack="posthoc-kernel_ridge", psnr=frame["psnr"] + gain, risk95=frame["risk95"] + gain / 10)
    best = other.assign(attack="best", chosen="psnr: posthoc-kernel_ridge; risk95: posthoc-kernel_ridge")
    return pd.concat([frame, other, best], ignore_index=True)


def failing(frame: pd.DataFrame, column: str, failed: Iterable[tuple[str, str, int]]) -> pd.DataFrame:
    """A summary in another order, in which some rows failed: (value of the column, role, seed)."""
    for value, role, seed in failed:
        rows = (frame[column] == value) & (frame["role"] == role) & (frame["seed"] == seed)
        frame.loc[rows, [*MEASURES, "n"]] = np.nan
        frame.loc[rows, ["status", "reason"]] = "failed", "the loss is nan; step 5"
    return frame.sample(frac=1, random_state=1)


def mitigations(
    tasks: tuple[str, ...] = ("mnist", "cifar10"),
    outputs: tuple[str, ...] = ("logits", "softmax", "top3", "noise0.1", "label"),
    seeds: int = 3,
    failed: tuple[tuple[str, str, str, int], ...] = (),
    synthetic: tuple[str, ...] = (),
    trained_for: tuple[str, ...] = (),
) -> pd.DataFrame:
    """A summary of attacks on treated outputs, the less to read the later they stand in ``outputs``; noise costs
    accuracy.

    ``failed`` holds (task, role, outputs, seed). The server that trains for outputs reads half a dB more of them.
    """
    frame = summary(tasks, seeds, (1.0,), outputs, synthetic=synthetic).assign(attack="posthoc", calibration_error=0.05)
    # Whatever is sent, the model is the same.
    answers = frame.groupby(["task", "role", "seed"])["accuracy"].transform("first")
    place = frame["outputs"].map(outputs.index) / len(outputs)
    strength = 1.0 + 2.0 * (frame["role"] == "vicious")
    frame["accuracy"] = answers - 0.03 * frame["outputs"].str.startswith("noise")
    frame["psnr"] += strength * (1 - place)
    frame["risk95"] += 0.05 * strength * (1 - place)
    vicious = frame["role"] == "vicious"
    frame.loc[vicious, "trained_for"] = "logits"
    aware = frame.loc[vicious & frame["outputs"].isin(trained_for)]
    aware = aware.assign(trained_for=aware["outputs"], psnr=aware["psnr"] + 0.5, risk95=aware["risk95"] + 0.02)
    frame = pd.concat([frame, aware], ignore_index=True)
    keys = list(zip(frame["task"], frame["role"], frame["outputs"], frame["seed"], strict=True))
    bad = [key in failed for key in keys]
    frame.loc[bad, list(_EMPTY)] = np.nan
    frame.loc[bad, ["status", "reason"]] = ["failed", "loss is not finite"]
    return frame.sample(frac=1, random_state=1)


def comparisons(frame: pd.DataFrame) -> pd.DataFrame:
    """The comparisons of a summary: differences over the seeds that both have, made-up intervals and p."""
    rows: list[dict[str, Any]] = []
    ok = frame.loc[frame["status"] == "ok"].set_index("seed")
    keys = ["dataset", "task", "role", "attack", "outputs", "trained_for", "beta_r", "evades", "evasion"]
    for key, group in frame.loc[frame["role"] != "honest"].groupby(keys, sort=False):
        named = dict(zip(keys, key, strict=True))
        here = ok.loc[(ok["task"] == named["task"]) & (ok["outputs"] == named["outputs"])]
        best = here.loc[(here["attack"] == "best") == (named["attack"] == "best")]
        honest = best.loc[best["role"] == "honest"]
        mine = best.loc[(best["role"] == named["role"]) & (best["beta_r"] == named["beta_r"])]
        both = mine.index.intersection(honest.index)
        for measure, width in (
            ("accuracy", 0.01),
            ("psnr", 0.1),
            ("ssim", 0.02),
            ("risk", 0.02),
            ("risk95", 0.03),
            ("top1", 0.01),
        ):
            difference = (mine.loc[both, measure] - honest.loc[both, measure]).mean() if len(both) else np.nan
            rows.append(
                named
                | {"measure": measure, "difference": difference, "low": difference - width, "high": difference + width}
                | {"p": np.nan if np.isnan(difference) else 0.002 if abs(difference) > width else 0.4}
                | {"seeds_needed": 4 if measure == "psnr" and len(both) > 1 else np.nan}
                | {"n_images": mine["n"].max(), "seeds": len(both), "failed": len(group) - len(both), "reason": ""}
            )
    return pd.DataFrame(rows)


def membership(
    tasks: tuple[str, ...] = ("mnist", "cifar10"),
    seeds: int = 3,
    betas: tuple[float, ...] = (1.0, 3.0),
    outputs: tuple[str, ...] = ("logits",),
    failed: tuple[tuple[str, str, int], ...] = (),
    synthetic: tuple[str, ...] = (),
    images: int = 2000,
) -> pd.DataFrame:
    """Rows of membership.csv; ``failed`` holds (task, role, seed). The larger beta_R, the larger the AUC."""
    generator = np.random.default_rng(9)
    rows: list[dict[str, Any]] = []
    models = [("honest", "", 0.0), *(("vicious", kind, beta) for kind in outputs for beta in betas)]
    for task in tasks:
        for role, kind, beta in models:
            for seed in range(seeds):
                auc = 0.52 + 0.01 * beta + generator.normal(0, 0.002)
                row: dict[str, Any] = {
                    **{"dataset": task.split("-")[0], "task": task, "role": role, "outputs": kind, "beta_r": beta},
                    **{"seed": seed, "status": "ok", "reason": ""},
                    **{"source": "synthetic" if task.split("-")[0] in synthetic else "official"},
                }
                numbers = {
                    **{"trained_on": 4500, "members": images, "non_members": images},
                    **{"auc": auc, "auc_low": auc - 0.018, "auc_high": auc + 0.018},
                    **{"advantage": 2 * auc - 1, "advantage_chance": np.sqrt(np.pi / 4 / images)},
                    **{"tpr_at_1fpr": 0.01 + beta / 1000, "tpr_at_01fpr": 0.002 if images >= 1000 else np.nan},
                    **{"loss_members": 0.3, "loss_non_members": 0.3 + beta / 10},
                    **{"accuracy_members": 0.9 + beta / 100, "accuracy_non_members": 0.88 - beta / 100},
                }
                lost = (task, role, seed) in failed
                state = {"status": "failed", "reason": "the loss; is nan"} if lost else {}
                rows.append(row | state | (dict.fromkeys(numbers, np.nan) if lost else numbers))
    counts = ("trained_on", "members", "non_members")
    return pd.DataFrame(rows, columns=list(Membership.model_fields)).astype(dict.fromkeys(counts, "Int64"))


def _measures(
    dataset: str, k: int, role: str, beta: float, kind: str, generator: np.random.Generator
) -> dict[str, float]:
    gain = {"honest": 0.0, "vicious": np.sqrt(beta), "autoencoder": 2.5}[role] * (0.6 if kind == "softmax" else 1.0)
    place = ALL.index(dataset)
    psnr = 15.0 + 1.2 * gain - 0.3 * place + 0.4 * np.log10(k) + generator.normal(0, 0.15)
    accuracy = _ACCURACY[dataset] - 0.008 * gain - 0.05 * np.log10(k) + generator.normal(0, 0.002)
    return {
        "n": 10_000 if dataset != "celeba" else 19_962,
        "accuracy": np.nan if role == "autoencoder" else accuracy,
        "mse": 10 ** (-psnr / 10),
        "psnr": psnr,
        "ssim": min(0.4 + 0.1 * gain, 0.9) + generator.normal(0, 0.01),
        "risk": 0.95 + 0.01 * gain + 0.012 * place + generator.normal(0, 0.006),
        "risk95": 1.08 + 0.16 * gain + 0.05 * place + generator.normal(0, 0.015),
        "risk_class_mean": 1.006 + generator.normal(0, 0.001),
        "risk95_class_mean": 1.04 + generator.normal(0, 0.001),
        "psnr_class_mean": 12.1 + generator.normal(0, 0.05),
        "rank": 414,
        "rank95": 79,
        "n_perfect": 0,
        "share_kept": 0.9999,
        "calibration_error": 0.05,
        **_identified(gain),
        **{f"{name}_{end}": np.nan for name in INTERVALS for end in ("low", "high")},
        "pixels": 1024 if dataset in ALL[:2] else 3072,
        "covariance_images": 60_000,
        "estimator": "truncated 1.2e-07",
    }


def _identified(gain: float) -> dict[str, float]:
    """How many originals are found, and the tails, of an attack of that gain; without chance."""
    found = {
        **{name: min(0.9, 0.15 + 0.1 * gain) for name in IDENTIFIED},
        **{f"{name}_chance": 1e-4 for name in IDENTIFIED},
        **dict.fromkeys(MEDIANS, max(1.0, 40.0 - 10 * gain)),
        **{f"{name}_share": 0.01 for name in MEDIANS},
    }
    return {**found, "psnr_p99": 20.0 + gain, "psnr_worst1": 21.0 + gain, "top1_class_mean": 0.001}


def detection(
    datasets: tuple[str, ...] = ("mnist", "cifar10"),
    numbers: tuple[int, ...] = (200,),
    betas: tuple[float, ...] = (3.0,),
    seeds: int = 3,
    draws: int = 3,
    outputs: tuple[str, ...] = ("logits",),
    failed: tuple[tuple[str, str, int], ...] = (),
) -> pd.DataFrame:
    """Detection scores; ``failed`` holds (dataset, role, seed)."""
    generator = np.random.default_rng(8)
    rows: list[dict[str, Any]] = []
    for dataset in datasets:
        for kind in outputs:
            for role, beta in (("honest", 0.0), *(("vicious", beta) for beta in betas)):
                for seed in range(seeds):
                    model = (0.08 if role == "honest" else 0.2 + 0.04 * beta) + generator.normal(0, 0.02)
                    for number in numbers:
                        for draw in range(draws):
                            bad = (dataset, role, seed) in failed
                            rows.append(
                                {
                                    "dataset": dataset,
                                    "task": dataset,
                                    "role": role,
                                    "outputs": kind,
                                    "beta_r": beta,
                                    "recipe": "",
                                    "evades": "",
                                    "evasion": 0.0,
                                    "hidden": "",
                                    "seed": seed,
                                    "detector": "linear_decodability",
                                    "n_user": number,
                                    "draw": draw,
                                    "score": np.nan if bad else model + generator.normal(0, 0.3) / np.sqrt(number),
                                    "status": "failed" if bad else "ok",
                                    "reason": "loss is not finite" if bad else "",
                                }
                            )
    return pd.DataFrame(rows)


def gallery(path: Path, channels: int, noise: float, images: int = 8) -> Path:
    """Write a gallery of smooth blobs; the originals depend on ``channels`` only."""
    generator = np.random.default_rng(channels)
    y, x = np.mgrid[:32, :32] / 31.0
    centres = generator.uniform(0.2, 0.8, (images, channels, 2))
    blobs = np.exp(-((x - centres[..., :1, None]) ** 2 + (y - centres[..., 1:, None]) ** 2) / 0.05)
    noisy = blobs + np.random.default_rng(9).normal(0, noise, blobs.shape)
    np.savez(
        path,
        originals=(255 * blobs).astype(np.uint8),
        reconstructions=(255 * noisy.clip(0, 1)).astype(np.uint8),
        labels=np.arange(images),
    )
    return path
