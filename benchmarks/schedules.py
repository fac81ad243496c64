"""Ways to train at equal compute, on real images: each trains honest and vicious models on as many rows (an image or
its copy) in as many steps. What the original does comes first: a constant rate, and a copy of each image.

    python benchmarks/schedules.py OFFICIAL DATASET... [--images N] [--rows N] [--seeds N] [--out FILE]

OFFICIAL is a folder with the official files in torchvision's layout. Trainings are kept in a folder beside the JSON
file, so that a run that was ended goes on where it was.
"""

import argparse
import json
import math
import statistics
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from measuring import machine, report
from rates import networks
from scipy import stats
from torch import Tensor

from vicious.data.batches import batches
from vicious.data.datasets import find_dataset
from vicious.data.prepare import prepare
from vicious.data.prepared import INFO_NAME, PreparedDataset, load_prepared
from vicious.metrics.measures.mse import squared_error
from vicious.mitigations import readable, transmit
from vicious.models.architecture import Model, model
from vicious.models.checkpoint import failure, load_model
from vicious.models.schedule import Schedule
from vicious.system.files import write_json
from vicious.system.runtime import limit_threads, use_device
from vicious.training import jobs

ROWS_A_STEP = 40
VALIDATION = 1000
WAYS = {
    "constant rate, copies": Schedule(1, ROWS_A_STEP // 2, 0.001, 0),
    "one-cycle rate, copies": Schedule(1, ROWS_A_STEP // 2, 0.003, 0, rate="one_cycle"),
    "one-cycle rate": Schedule(1, ROWS_A_STEP, 0.003, 0, rate="one_cycle", augmented=False),
    "one-cycle rate, average": Schedule(1, ROWS_A_STEP, 0.003, 0, rate="one_cycle", augmented=False, average=0.98),
}
HEAD = (
    *("dataset, way", "honest accuracy", "vicious accuracy", "joint attack, dB"),
    *("ridge on honest, dB", "ridge on vicious, dB", "vicious − honest, dB"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("official", type=Path)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--test", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=30_000, help="of a training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--landmarks", type=int, default=1_000, help="of kernel ridge")
    parser.add_argument("--kept", type=Path, default=Path(".cache/schedules"), help="folder of the trainings")
    given = parser.parse_args()
    where, official = machine(), given.official.absolute()
    limit_threads(given.threads)
    device = use_device("cpu", given.threads)
    given.kept.mkdir(parents=True, exist_ok=True)
    rows: list[list[str]] = []
    with chdir(given.kept):
        for name in given.datasets:
            data = _prepared(name, official, given.images, given.test)
            for way, schedule in WAYS.items():
                found = [_measured(data, way, _at(schedule, data, given.rows, seed), given, device)
                         for seed in range(given.seeds)]  # fmt: skip
                rows.append([f"{data.info.title}, {way}", *_row(found)])
                print(rows[-1], flush=True)
    report(
        *("schedules", where, HEAD, rows),
        threads=given.threads, images=given.images, depth=given.depth,
        rows_of_a_training=given.rows, rows_of_a_step=ROWS_A_STEP,
        note=f"Mean and half of its 95% interval over {given.seeds} seeds (Student's t); beta_R is 1. "
        f"Kernel ridge has {given.landmarks:,} landmarks.",
    )  # fmt: skip


def _prepared(name: str, official: Path, images: int, test: int) -> PreparedDataset:
    folder = Path("data", f"{name}-{images}-{test}")
    if not (folder / INFO_NAME).exists():
        prepare(
            *(find_dataset(name), official, folder),
            source="official", train=images, validation=VALIDATION, test=test, split_seed=0,
        )  # fmt: skip
    return load_prepared(folder)


def _at(schedule: Schedule, data: PreparedDataset, rows: int, seed: int) -> Schedule:
    """The schedule with as many whole epochs as come nearest to so many rows."""
    of_an_epoch = data.info.n["train"] * (2 if schedule.augmented else 1)
    return replace(schedule, epochs=max(1, round(rows / of_an_epoch)), seed=seed)


def _measured(
    data: PreparedDataset, way: str, schedule: Schedule, given: Any, device: torch.device
) -> dict[str, float]:
    folder = Path(data.info.name, str(given.images), str(given.rows), way.replace(", ", "-").replace(" ", "_"),
                  str(schedule.seed))  # fmt: skip
    kept = folder / "measured.json"
    if kept.exists():
        found: dict[str, float] = json.loads(kept.read_text())
        return found
    target, attack = networks(given.depth, 1)
    ridge = model("attack", "kernel_ridge", {"landmarks": given.landmarks})
    honest, vicious, joint = (folder / f"{role}.safetensors" for role in ("honest", "vicious", "joint"))
    jobs.train_honest(data, honest, target, schedule, device, "")
    jobs.train_vicious(data, vicious, joint, target, attack, "logits", 1.0, 1.0, schedule, device, "")
    found = {"joint": _psnr(data, vicious, joint, device)}
    for role, weights in (("honest", honest), ("vicious", vicious)):
        found[f"{role}_accuracy"] = _accuracy(data, weights, device)
        found[f"{role}_ridge"] = _psnr(data, weights, _fitted(data, weights, ridge, schedule, device), device)
    write_json(kept, found)
    return found


def _fitted(data: PreparedDataset, target: Path, ridge: Model, schedule: Schedule, device: torch.device) -> Path:
    out = target.with_name(f"{target.stem}-ridge.safetensors")
    jobs.train_attack(data.folder, target, out, ridge, "logits", schedule, device, "")
    return out


@torch.no_grad()
def _accuracy(data: PreparedDataset, target: Path, device: torch.device) -> float:
    network = _loaded(target, "target")
    right = [(network(batch.images).argmax(1) == batch.labels) for batch in batches(data, "test", 250, device)]
    return 100 * torch.cat(right).double().mean().item()


@torch.no_grad()
def _psnr(data: PreparedDataset, target: Path, attack: Path, device: torch.device) -> float:
    network, decoder = _loaded(target, "target"), _loaded(attack, "attack")
    found: list[Tensor] = []
    for batch in batches(data, "test", 250, device):
        guess = decoder(readable(transmit(network(batch.images), "logits"), "logits")).clamp(0, 1)
        found.append(-10 * squared_error(guess, batch.images).log10())
    return torch.cat(found).double().mean().item()


def _loaded(weights: Path, kind: Any) -> torch.nn.Module:
    if (reason := failure(weights)) is not None:
        raise RuntimeError(f"{weights}: {reason}")
    network: torch.nn.Module = load_model(weights, kind)[0]
    return network


def _row(found: list[dict[str, float]]) -> list[str]:
    columns = [[one[key] for one in found] for key in
               ("honest_accuracy", "vicious_accuracy", "joint", "honest_ridge", "vicious_ridge")]  # fmt: skip
    columns.append([one["vicious_ridge"] - one["honest_ridge"] for one in found])
    return [_interval(values) for values in columns]


def _interval(values: list[float]) -> str:
    mean, count = statistics.fmean(values), len(values)
    if count == 1:
        return f"{mean:.2f}"
    half = stats.t.ppf(0.975, count - 1) * statistics.stdev(values) / math.sqrt(count)
    return f"{mean:.2f} ± {half:.2f}"


if __name__ == "__main__":
    main()
