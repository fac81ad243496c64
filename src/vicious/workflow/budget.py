"""What a study costs before it runs: jobs, parameters, FLOPs, hours, disk and memory, from params.yaml alone.

Each step of the plan states its own cost. Hours are FLOPs over a device's sustained rate, plus a fixed time for each
job.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vicious.data.datasets import find_dataset
from vicious.steps._needs import CPU_RATE, GPU_RATE
from vicious.steps.train_vicious import TrainVicious
from vicious.study import grid
from vicious.study.config import Params
from vicious.study.plan import Plan, Planned
from vicious.system.errors import ConfigError, DataError
from vicious.system.files import read_json
from vicious.system.registry import nearest

BASE_MEMORY = 0.6e9
"""Bytes of a Python process that has loaded PyTorch."""


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
        vicious_flops: of the largest vicious training; 0 without one.
        flops: of all jobs.
        disk: bytes of raw and prepared data and of results.
        memory: bytes of the largest job.
    """

    jobs: int
    trainings: int
    target_parameters: int
    attack_parameters: int
    vicious_flops: float
    flops: float
    disk: float
    memory: float

    def hours(self, device: Device) -> float:
        """Wall-clock hours on a device."""
        return (self.flops / device.rate + self.jobs * device.overhead) / device.parallel / 3600


def budget(
    params: Params, *, experiments: Sequence[grid.Experiment] = grid.EXPERIMENTS, data: bool = True
) -> dict[str, Cost]:
    """The cost of each dataset of some experiments of the chosen scale, in the study's order.

    Args:
        data: whether fetching and preparing data and factorising covariances count.

    Raises:
        ConfigError: the scale has none of these experiments.
    """
    steps = [one for one in Plan(params, experiments).steps if one.work is not None]
    used = {one.dataset for one in steps if one.step.STAGE == "models"}
    if not used:
        raise ConfigError(f"scale {params.scale} has no {' or '.join(experiments)}: see scales.{params.scale}")
    chosen = [one for one in steps if data or one.step.STAGE != "data"]
    return {
        dataset: _dataset([one for one in chosen if one.dataset == dataset])
        for dataset in params.datasets
        if dataset in used
    }


def _dataset(steps: Sequence[Planned]) -> Cost:
    """The cost of a dataset's steps."""
    costs = [one.cost for one in steps]
    models = [one for one in steps if one.step.STAGE == "models"]
    usual = [one.work for one in models if one.work is not None and getattr(one.step, "recipe", None) is None]
    vicious = [one.cost.flops for one in steps if isinstance(one.step, TrainVicious) and one.step.beta_c > 0]
    return Cost(
        jobs=len(steps),
        trainings=len(models),
        target_parameters=max(work.sizes[0].parameters for work in usual),
        attack_parameters=max(work.sizes[1].parameters for work in usual),
        vicious_flops=max(vicious, default=0.0),
        flops=sum(cost.flops for cost in costs),
        disk=sum(cost.disk for cost in costs),
        memory=BASE_MEMORY + max(cost.memory for cost in costs),
    )


def total(costs: Iterable[Cost]) -> Cost:
    """All datasets together: sums, and the largest parameters, vicious training and memory."""
    every = [asdict(one) for one in costs]
    added = ("jobs", "trainings", "flops", "disk")
    return Cost(**{key: (sum if key in added else max)(one[key] for one in every) for key in every[0]})


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
    named = {find_dataset(name).title: cost for name, cost in costs.items()} | {"total": total(costs.values())}
    for title, one in named.items():
        counts = (one.jobs, one.trainings, one.target_parameters, one.attack_parameters)
        flops = (one.vicious_flops, one.flops)
        words = [f"{one.hours(cpu):,.2f}", f"{one.hours(gpu):,.2f}", f"{one.disk / 1e9:.2f}", f"{one.memory / 1e9:.1f}"]
        rows.append([title, *(f"{n:,}" for n in counts), *(f"{n:.2e}" for n in flops), *words])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def report(
    params: Params,
    experiments: Sequence[str] | None = None,
    cpu_gflops: float | None = None,
    gpu_tflops: float | None = None,
    gpu_name: str | None = None,
    results: Path | None = None,
) -> str:
    """The budget in words and a table.

    Args:
        experiments: those that count; None for all.
        cpu_gflops, gpu_tflops, gpu_name: a user's own rates, and the GPU's name.
        results: folder of a build to compare the estimate with.
    """
    unknown = [name for name in experiments or () if name not in grid.EXPERIMENTS]
    if unknown:
        raise ConfigError(f"there is no experiment {unknown[0]!r}{nearest(unknown[0], grid.EXPERIMENTS)}")
    chosen = tuple(name for name in grid.EXPERIMENTS if experiments is None or name in experiments)
    cpu, gpu = with_rates(cpu_gflops, gpu_tflops, gpu_name)
    costs = budget(params, experiments=chosen)
    seeds = sorted({len(params.cell(dataset).seeds) for dataset in params.datasets})
    words = [
        f"Budget of {', '.join(chosen)} at scale {params.scale}, {' or '.join(map(str, seeds))} seeds, before "
        "summaries, tables and figures.",
        f"CPU: {cpu.name}, {cpu.rate / 1e9:.0f} GFLOP/s a job. GPU: {gpu.name}, {gpu.rate / 1e12:.1f} TFLOP/s.\n",
        table(costs, cpu, gpu),
    ]
    if results is not None:
        jobs, found = measured(params, results, chosen)
        expected = total(budget(params, experiments=chosen, data=False).values())
        estimated = cpu.parallel * expected.hours(cpu)
        words.append(
            f"\nTrainings, assessments and detections, one after the other: {found:.2f} hours measured for {jobs} "
            f"jobs in {results}, {estimated:.2f} estimated for {expected.jobs} (ratio {estimated / found:.2f})."
        )
    return "\n".join(words)


def with_rates(cpu_gflops: float | None, gpu_tflops: float | None, gpu_name: str | None) -> tuple[Device, Device]:
    """The two devices, with a user's own rates in place of the defaults."""
    cpu = CPU if cpu_gflops is None else replace(CPU, name="2 CPU cores", rate=cpu_gflops * 1e9)
    gpu = GPU if gpu_tflops is None else replace(GPU, name=gpu_name or "1 GPU", rate=gpu_tflops * 1e12)
    return cpu, gpu
