"""What a study costs before it runs: jobs, parameters, FLOPs, hours, disk and memory, from params.yaml alone.

Each step of the plan states its own cost. A job takes its FLOPs over a device's sustained rate, or what it takes to
start them where this is longer, plus a fixed time.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from vicious.data.datasets import dataset_names, find_dataset
from vicious.steps._needs import CPU_RATE, GPU_RATE, Rate
from vicious.steps._needs import Cost as JobCost
from vicious.steps.train_vicious import TrainVicious
from vicious.study import grid
from vicious.study.config import Params
from vicious.study.plan import Plan, Planned
from vicious.system.errors import ConfigError
from vicious.system.registry import nearest

BASE_MEMORY = 0.6e9
"""Bytes of a Python process that has loaded PyTorch."""


@dataclass(frozen=True)
class Device:
    """How fast something computes.

    Attributes:
        name: for the heading.
        rate: of one job in these models.
        overhead: seconds a job takes beside its FLOPs: start, imports, reading, writing.
        parallel: jobs at a time.
    """

    name: str
    rate: Rate
    overhead: float
    parallel: int

    def seconds(self, job: JobCost) -> float:
        """What one job takes."""
        return self.rate.seconds(job.flops, job.launches) + job.seconds + self.overhead


SMALL = 5.0
"""Seconds of a job that reads and writes tables."""
CPU = Device("2 CPU cores (measured: AMD EPYC, one job a core)", CPU_RATE, 6.0, 2)
GPU = Device("1 NVIDIA H100 (measured: depth 28, width 5, batches of 125)", GPU_RATE, 13.0, 1)


def device_and_jobs(params: Params, cores: int) -> tuple[Device, int]:
    """What a configuration computes on, and how many of its jobs run at a time on a machine of this many cores."""
    if params.runtime.device == "cuda":
        return GPU, GPU.parallel
    return CPU, max(cores // params.runtime.threads, 1)


def estimated(one: Planned, estimate: Callable[[JobCost], float]) -> float:
    """Seconds that a job takes, by an estimate of what it costs."""
    return SMALL if one.work is None else estimate(one.cost)


def duration(seconds: float) -> str:
    """A time in words: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


@dataclass(frozen=True)
class Cost:
    """What the jobs of one dataset, or of the whole study, need.

    Attributes:
        each: the cost of each job: fetch, prepare, covariance, trainings, assessments, detections.
        trainings: how many of them train a model.
        target_parameters, attack_parameters: of the largest F and G.
        vicious_flops: of the largest vicious training; 0 without one.
    """

    each: tuple[JobCost, ...]
    trainings: int
    target_parameters: int
    attack_parameters: int
    vicious_flops: float

    @property
    def jobs(self) -> int:
        """Number of jobs."""
        return len(self.each)

    @property
    def flops(self) -> float:
        """Of all jobs."""
        return sum(job.flops for job in self.each)

    @property
    def disk(self) -> float:
        """Bytes of raw and prepared data and of results."""
        return sum(job.disk for job in self.each)

    @property
    def memory(self) -> float:
        """Bytes of the largest job."""
        return BASE_MEMORY + max(job.memory for job in self.each)

    def hours(self, device: Device) -> float:
        """Wall-clock hours on a device."""
        return sum(map(device.seconds, self.each)) / device.parallel / 3600


def budget(params: Params, *, experiments: Sequence[grid.Experiment] = grid.EXPERIMENTS) -> dict[str, Cost]:
    """The cost of each dataset of some experiments of the chosen scale, in the study's order.

    Raises:
        ConfigError: the scale has none of these experiments.
    """
    steps = [one for one in Plan(params, experiments).steps if one.work is not None]
    used = {one.dataset for one in steps if one.step.STAGE == "models"}
    if not used:
        raise ConfigError(f"scale {params.scale} has no {' or '.join(experiments)}: see scales.{params.scale}")
    return {
        dataset: _dataset([one for one in steps if one.dataset == dataset])
        for dataset in params.datasets
        if dataset in used
    }


def _dataset(steps: Sequence[Planned]) -> Cost:
    """The cost of a dataset's steps."""
    models = [one for one in steps if one.step.STAGE == "models"]
    usual = [one.work for one in models if one.work is not None and getattr(one.step, "recipe", None) is None]
    vicious = [one.cost.flops for one in steps if isinstance(one.step, TrainVicious) and one.step.beta_c > 0]
    return Cost(
        each=tuple(one.cost for one in steps),
        trainings=len(models),
        target_parameters=max(work.sizes[0].parameters for work in usual),
        attack_parameters=max(work.sizes[1].parameters for work in usual),
        vicious_flops=max(vicious, default=0.0),
    )


def total(costs: Iterable[Cost]) -> Cost:
    """All datasets together: all their jobs, the largest parameters and the largest vicious training."""
    every = list(costs)
    return Cost(
        each=tuple(job for one in every for job in one.each),
        trainings=sum(one.trainings for one in every),
        target_parameters=max(one.target_parameters for one in every),
        attack_parameters=max(one.attack_parameters for one in every),
        vicious_flops=max(one.vicious_flops for one in every),
    )


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


def report(params: Params, experiments: Sequence[grid.Experiment], cpu: Device, gpu: Device) -> str:
    """The budget of some experiments in words and a table.

    Raises:
        ConfigError: the scale has none of these experiments.
    """
    seeds = sorted({len(params.cell(dataset).seeds) for dataset in params.datasets})
    return "\n".join(
        [
            f"Budget of {', '.join(experiments)} at scale {params.scale}, {' or '.join(map(str, seeds))} seeds, before "
            "summaries, tables and figures.",
            f"CPU: {cpu.name}, {cpu.rate.flops / 1e9:.0f} GFLOP/s a job. GPU: {gpu.name}, "
            f"{gpu.rate.flops / 1e12:.1f} TFLOP/s, or {gpu.rate.launch * 1e3:.2f} ms for each layer that a batch "
            "passes, where that takes longer.\n",
            table(budget(params, experiments=experiments), cpu, gpu),
        ]
    )


def chosen(experiments: Sequence[str] | None) -> tuple[grid.Experiment, ...]:
    """Some experiments in the study's order; None: all.

    Raises:
        ConfigError: there is none of this name.
    """
    _check_names("experiment", experiments or (), grid.EXPERIMENTS)
    return tuple(name for name in grid.EXPERIMENTS if experiments is None or name in experiments)


def with_datasets(params: Params, datasets: Sequence[str] | None) -> Params:
    """A configuration of some datasets; None: of its own.

    Raises:
        ConfigError: there is none of this name.
    """
    _check_names("dataset", datasets or (), dataset_names())
    return params if datasets is None else params.model_copy(update={"datasets": list(dict.fromkeys(datasets))})


def _check_names(kind: str, names: Iterable[str], valid: Collection[str]) -> None:
    """Refuse a name that there is not.

    Raises:
        ConfigError: names the nearest one.
    """
    for name in names:
        if name not in valid:
            raise ConfigError(f"there is no {kind} {name!r}{nearest(name, valid)}")


def with_rates(cpu_gflops: float | None, gpu_tflops: float | None, gpu_name: str | None) -> tuple[Device, Device]:
    """The two devices, with a user's own rates in place of the defaults."""
    cpu, gpu = CPU, GPU
    if cpu_gflops is not None:
        cpu = replace(CPU, name="2 CPU cores", rate=replace(CPU_RATE, flops=cpu_gflops * 1e9))
    if gpu_tflops is not None:
        gpu = replace(GPU, name=gpu_name or "1 GPU", rate=replace(GPU_RATE, flops=gpu_tflops * 1e12))
    return cpu, gpu
