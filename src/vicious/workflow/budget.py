"""What a study costs before it runs: jobs, parameters, FLOPs, hours, disk and memory, from params.yaml alone.

FLOPs are counted on models without memory (PyTorch's meta device) by torch.utils.flop_counter, two for each
multiplication with its addition; a backward pass counts as two forward passes (Kaplan et al., "Scaling Laws for Neural
Language Models", 2020, section 2.1). Hours are FLOPs over a device's sustained rate, plus a fixed time for each job.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vicious.data.catalog import CATALOG
from vicious.data.splits import SIDE
from vicious.data.tasks import Task
from vicious.metrics.estimators import CUTOFFS, RIDGES, SHARES
from vicious.models.attack import AttackModel
from vicious.models.checkpoint import count_parameters
from vicious.models.target import TargetModel
from vicious.study import grid
from vicious.study.config import Params
from vicious.system.errors import ConfigError, DataError
from vicious.system.files import read_json
from vicious.training.recipes import RECIPES, STANDARD
from vicious.workflow.resources import CPU_RATE, GPU_RATE, an_epoch, images, task_images

COPIES = 2
"""Rows of a batch for each image: itself and one augmented copy."""
BACKWARD = 2
"""Cost of a backward pass in forward passes."""
FLOAT = 4
"""Bytes of a float32."""
BASE_MEMORY = 0.6e9
"""Bytes of a Python process that has loaded PyTorch."""
CSV_AND_JSON = 40e3
"""Bytes of records, curves, summaries and provenance beside each model and attack."""


@dataclass(frozen=True)
class Device:
    """How fast something computes.

    Attributes:
        name: for the heading.
        rate: FLOPs a second of one job in these models, sustained.
        overhead: seconds a job takes beside its FLOPs: start, imports, reading, writing.
        parallel: jobs at a time.
    """

    name: str
    rate: float
    overhead: float
    parallel: int


CPU = Device("2 CPU cores (measured: AMD EPYC, one job a core)", CPU_RATE, 6.0, 2)
GPU = Device("1 NVIDIA H100 (measured: depth 28, width 5, batches of 125)", GPU_RATE, 13.0, 1)


@dataclass(frozen=True)
class Cost:
    """What the jobs of one dataset, or of the whole study, need.

    Attributes:
        jobs: number of jobs: fetch, prepare, covariance, trainings, assessments, detections.
        trainings: how many of them train a model.
        target_parameters, attack_parameters: of the largest F and G.
        training_flops: of one vicious training, the largest kind.
        flops: of all jobs.
        disk: bytes of raw and prepared data and of results.
        memory: bytes of the largest job.
    """

    jobs: int
    trainings: int
    target_parameters: int
    attack_parameters: int
    training_flops: float
    flops: float
    disk: float
    memory: float

    def hours(self, device: Device) -> float:
        """Wall-clock hours on a device."""
        return (self.flops / device.rate + self.jobs * device.overhead) / device.parallel / 3600


@dataclass(frozen=True)
class Size:
    """Costs of one pair of models: FLOPs and bytes are for one image of a forward pass."""

    target_parameters: int
    attack_parameters: int
    target_flops: float
    attack_flops: float
    activations: float


@cache
def model_size(depth: int, width: int, channels: int, outputs: int) -> Size:
    """Parameters, FLOPs and activations of a target and an attack model."""
    with torch.device("meta"):
        target: nn.Module = TargetModel(depth, width, channels, outputs, [0.0] * channels, [1.0] * channels)
        attack: nn.Module = AttackModel(depth, width, channels, outputs)
        image, code = torch.empty(1, channels, SIDE, SIDE), torch.empty(1, outputs)
    flops, kept = zip(*(_forward(model.eval(), x) for model, x in ((target, image), (attack, code))), strict=True)
    return Size(count_parameters(target), count_parameters(attack), flops[0], flops[1], sum(kept))


def _forward(model: nn.Module, x: Tensor) -> tuple[float, float]:
    """FLOPs, and bytes of what modules put out."""
    kept: list[float] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        kept.append(FLOAT * output.numel())

    handles = [part.register_forward_hook(keep) for part in model.modules() if not list(part.children())]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return float(counter.get_total_flops()), float(sum(kept))


def budget(
    params: Params, *, experiments: Sequence[grid.Experiment] = grid.EXPERIMENTS, data: bool = True
) -> dict[str, Cost]:
    """The cost of each dataset of some experiments of the chosen scale, in the study's order.

    Args:
        data: whether fetching and preparing data and factorising covariances count.

    Raises:
        ConfigError: the scale has none of these experiments.
    """
    trainings = grid.trainings(params, experiments)
    attacks = grid.attacks(params, experiments)
    used = [dataset for dataset in params.datasets if any(one.task.dataset == dataset for one in trainings)]
    if not used:
        raise ConfigError(f"scale {params.scale} has no {' or '.join(experiments)}: see scales.{params.scale}")
    judged = grid.judged(params) if "defense" in experiments else []
    return {
        dataset: _dataset(
            params,
            dataset,
            [one for one in trainings if one.task.dataset == dataset],
            [cell for cell in attacks if cell.task.dataset == dataset],
            len([one for one in judged if one.task.dataset == dataset]),
            data,
        )
        for dataset in used
    }


def total(costs: Iterable[Cost]) -> Cost:
    """All datasets together: sums, and the largest parameters, training and memory."""
    every = list(costs)
    return Cost(
        jobs=sum(cost.jobs for cost in every),
        trainings=sum(cost.trainings for cost in every),
        target_parameters=max(cost.target_parameters for cost in every),
        attack_parameters=max(cost.attack_parameters for cost in every),
        training_flops=max(cost.training_flops for cost in every),
        flops=sum(cost.flops for cost in every),
        disk=sum(cost.disk for cost in every),
        memory=max(cost.memory for cost in every),
    )


def _dataset(
    params: Params,
    dataset: str,
    models: list[grid.Training],
    cells: list[grid.Cell],
    judged: int,
    data: bool,
) -> Cost:
    own, spec = params.cell(dataset), CATALOG[dataset]
    n = images(own, dataset)
    d = spec.channels * SIDE * SIDE
    memory = BASE_MEMORY + 5 * 8 * d**2  # the covariance, its factors, their float32 copies
    flops = data * _covariance_flops(d, n["train"] + n["validation"])
    largest, disk = 0.0, data * _data_bytes(dataset, params.study.source, n)
    tasks = dict.fromkeys(one.task for one in models)
    sizes = {task: model_size(own.depth, own.width, spec.channels, grid.task_outputs(task)) for task in tasks}
    for one in models:
        joint, how = one.model.role != "honest", RECIPES.get(one.model.recipe or "", STANDARD)
        size = model_size(how.depth(own.depth), how.width(own.width), spec.channels, grid.task_outputs(one.task))
        epochs = how.longer * grid.settings(params, str(one.task)).epochs
        copies, here = COPIES if how.augmented else 1, an_epoch(own, task_images(params, one.task, n))
        cost = training_flops(size, here, epochs, target=True, attack=joint, copies=copies)
        flops, largest = flops + cost, max(largest, cost)
        disk += FLOAT * (size.target_parameters + joint * size.attack_parameters) + CSV_AND_JSON
        memory = max(memory, training_memory(size, own.batch_images))
    for cell in cells:
        size, here = sizes[cell.task], task_images(params, cell.task, n)
        if cell.attack != "joint":
            epochs = grid.settings(params, str(cell.task)).epochs
            flops += training_flops(size, an_epoch(own, here), epochs, target=False, attack=True)
            disk += FLOAT * size.attack_parameters + CSV_AND_JSON
        flops += _assessment_flops(size, here["test"], d)
        disk += here["test"] * (FLOAT * (len(SHARES) + len(CUTOFFS) + len(RIDGES) + 2) + 100) + CSV_AND_JSON
    if judged:
        flops += judged * n["test"] * sizes[Task(dataset)].target_flops
    trainings = len(models) + sum(cell.attack != "joint" for cell in cells)
    return Cost(
        jobs=3 * data + trainings + len(cells) + judged,
        trainings=trainings,
        target_parameters=max(size.target_parameters for size in sizes.values()),
        attack_parameters=max(size.attack_parameters for size in sizes.values()),
        training_flops=largest,
        flops=flops,
        disk=disk,
        memory=memory,
    )


def training_flops(
    size: Size, n: dict[str, int], epochs: int, *, target: bool, attack: bool, copies: int = COPIES
) -> float:
    """FLOPs of one training: every row forward and backward, and the validation images forward, in every epoch.

    Args:
        n: images of each split that an epoch takes.
        target: F is trained; else it is frozen and only runs forward.
        attack: G is trained.
        copies: rows of a batch for each image.
    """
    forward = size.target_flops + attack * size.attack_flops
    trained = target * size.target_flops + attack * size.attack_flops
    return epochs * (copies * n["train"] * (forward + BACKWARD * trained) + n["validation"] * forward)


def training_memory(size: Size, batch_images: int) -> float:
    """Bytes of a joint training: weights, gradients, Adam's two moments, and activations twice for their gradients."""
    weights = 4 * FLOAT * (size.target_parameters + size.attack_parameters)
    return BASE_MEMORY + weights + 2 * size.activations * COPIES * batch_images


def _covariance_flops(d: int, n: int) -> float:
    """The product, and two eigendecompositions (about 9 d^3: Golub and Van Loan, "Matrix Computations", section 8.3)."""
    return 2.0 * n * d**2 + 2 * 9.0 * d**3


def _assessment_flops(size: Size, n: int, d: int) -> float:
    """Both models forward, and five projections onto the eigenvectors."""
    return n * (size.target_flops + size.attack_flops + 5 * 2.0 * d**2)


def _data_bytes(dataset: str, source: str, n: dict[str, int]) -> float:
    spec, d = CATALOG[dataset], CATALOG[dataset].channels * SIDE * SIDE
    pixels = sum(n.values()) * d
    raw = float(pixels if source == "synthetic" else sum(file.size or 0 for file in spec.files))
    return raw + pixels + 3 * FLOAT * d**2


def measured(
    params: Params, results: Path, experiments: Sequence[grid.Experiment] = grid.EXPERIMENTS
) -> tuple[int, float]:
    """How many trainings, assessments and detections of some experiments were run, and how many hours they took.

    The hours are those of one job after the other, as the provenance beside the results says.

    Raises:
        DataError: there is none, or a record cannot be read.
    """
    found = {(one.task, one.model, one.seed) for one in grid.trainings(params, experiments)}
    found |= {(one.task, one.model, one.seed) for one in grid.judged(params) if "defense" in experiments}
    files = [
        file
        for task, model, seed in sorted(found, key=str)
        for kind in ("models", "assessments")
        for file in sorted((results / kind / task.folder / str(model) / f"seed{seed}").glob("*.provenance.json"))
    ]
    if not files:
        raise DataError(
            f"{results} holds no results of scale {params.scale}: give the folder results/<scale> of that scale"
        )
    try:
        seconds = [float(read_json(file)["seconds"]) for file in files]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read the provenance of {results} ({error}): run `snakemake` again") from error
    return len(files), sum(seconds) / 3600


def table(costs: dict[str, Cost], cpu: Device = CPU, gpu: Device = GPU) -> str:
    """The budget as a Markdown table, a row per dataset and the total."""
    head = [
        *("dataset", "jobs", "of them trainings", "parameters F", "parameters G", "FLOPs per vicious training"),
        *("FLOPs in all", "hours on CPU", "hours on GPU", "disk (GB)", "peak memory (GB)"),
    ]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    named = {CATALOG[name].title: cost for name, cost in costs.items()} | {"total": total(costs.values())}
    for title, cost in named.items():
        rows.append(
            [
                title,
                f"{cost.jobs:,}",
                f"{cost.trainings:,}",
                f"{cost.target_parameters:,}",
                f"{cost.attack_parameters:,}",
                f"{cost.training_flops:.2e}",
                f"{cost.flops:.2e}",
                f"{cost.hours(cpu):,.2f}",
                f"{cost.hours(gpu):,.2f}",
                f"{cost.disk / 1e9:.2f}",
                f"{cost.memory / 1e9:.1f}",
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def with_rates(cpu_gflops: float | None, gpu_tflops: float | None, gpu_name: str | None) -> tuple[Device, Device]:
    """The two devices, with a user's own rates in place of the defaults."""
    cpu = CPU if cpu_gflops is None else replace(CPU, name="2 CPU cores", rate=cpu_gflops * 1e9)
    gpu = GPU if gpu_tflops is None else replace(GPU, name=gpu_name or "1 GPU", rate=gpu_tflops * 1e12)
    return cpu, gpu
