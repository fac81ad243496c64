"""Made-up assessments with galleries and tables of single images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from report import made_up

from vicious.results.schema import MEASURES
from vicious.system.files import write_json

IMAGES = 4
GREY = ("mnist", "fashion_mnist")
OTHER = "posthoc-kernel_ridge"


def writer(tmp_path: Path) -> Callable[..., list[Any]]:
    """Writes the assessments of some tasks below a folder; returns their summaries.

    ``best``: each model has another attack, too, and the best one, which is the other one by PSNR alone.
    """

    def write(
        tasks: Any = ("mnist",),
        seeds: int = 1,
        betas: Any = (1.0,),
        outputs: Any = ("logits",),
        failed: Any = (),
        synthetic: Any = (),
        images: Any = IMAGES,
        best: bool = False,
    ) -> list[Any]:
        files = []
        for task in tasks:
            models = [("honest", f"posthoc-{kind}", kind, 0.0) for kind in outputs]
            models += [("vicious", "joint", kind, beta) for kind in outputs for beta in betas]
            models += [("autoencoder", "joint", kind, 1.0) for kind in outputs]
            for role, attack, kind, beta in models:
                for seed in range(seeds):
                    folder = tmp_path / task / f"{role}-{'' if role == 'honest' else kind}-{beta:g}" / f"seed{seed}"
                    bad = (task, role, seed) in failed
                    made = record(task, role, kind, beta, seed, synthetic, bad)
                    count = 0 if bad else images
                    files.append(assessment(folder, attack, made, count))
                    if best:
                        other = {"attack": OTHER}
                        files.append(assessment(folder, f"{OTHER}-{kind}", made | other, count, sharper=0.02))
                        choices = {} if bad else {"psnr": OTHER, "risk95": made["attack"]}
                        chosen = {"attack": "best", "choices": choices}
                        files.append(assessment(folder, f"best-{kind}", made | chosen, count))
        return files

    return write


def record(task: str, role: str, kind: Any, beta: Any, seed: int, synthetic: Any, bad: Any) -> dict[Any, Any]:
    dataset = task.split("-")[0]
    frame = made_up.summary((dataset,), seeds=1)
    row = frame.loc[frame["role"] == ("honest" if role == "honest" else "vicious")].iloc[0].to_dict()
    record = {name: value for name, value in row.items() if isinstance(value, str) or value == value}
    record |= {
        **{
            "dataset": dataset,
            "task": task,
            "k": 10,
            "role": role,
            "outputs": kind,
            "trained_for": "" if role == "honest" else kind,
            "beta_r": beta,
            "means": "",
            "evades": "",
            "evasion": 0.0,
            "seed": seed,
        },
        **{"attack": "posthoc" if role == "honest" else "joint"},
        **{"source": "synthetic" if task in synthetic else "official", "data": task, "images": {"test": 8}},
        "label_names": None,
        **{
            "risk_estimator": "truncated 1.2e-07",
            "risk95_estimator": "share 0.95",
            "pixels": 1024,
            "covariance_images": 5000,
        },
        "beta_c": 1.0,
        "target": {"architecture": {"depth": 10, "width": 1}, "schedule": {"epochs": 1, "seed": seed}},
        "attacker": {"schedule": {"epochs": 1, "seed": seed}},
        **{"status": "failed" if bad else "ok", "reason": "the loss is nan" if bad else ""},
    }
    if bad:
        record = {name: value for name, value in record.items() if name not in ("n", *MEASURES)}
    return record


def assessment(folder: Path, attack: Any, record: Any, images: Any, sharper: float = 0.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    noise = {"honest": 0.4, "vicious": 0.2, "autoencoder": 0.05}[record["role"]] - sharper
    path = folder / f"gallery-{attack}.npz"
    made_up.gallery(path, 1 if record["dataset"] in GREY else 3, noise, max(images, 1))
    with np.load(path) as arrays:
        shown = {name: arrays[name][:images] for name in arrays}
    for end, middle in (("highest", 2.0), ("lowest", 0.8)):
        for name in ("originals", "reconstructions"):
            shown[f"{end}_{name}"] = shown[name][::-1]
        shown[f"{end}_risk95"] = np.full(images, middle) + np.arange(images) / 100
        shown[f"{end}_image"] = np.arange(images)
    np.savez(path, **shown)
    table = pd.DataFrame({"image": np.arange(2 * images), "risk95": np.arange(2.0 * images) + 100 * sharper})
    table.to_parquet(folder / f"risk-{attack}.parquet")
    write_json(folder / f"risk-{attack}.json", {name: _plain(value) for name, value in record.items()})
    return folder / f"risk-{attack}.json"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
