"""What jobs ask for: never below the budget, and not absurdly above, whatever the scale and the device."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from vicious.data.datasets import find_dataset
from vicious.data.tasks import Task
from vicious.models.architecture import model
from vicious.steps import _needs as needs
from vicious.study import grid
from vicious.study.config import Params, load_params
from vicious.study.work import work
from vicious.system.registry import names
from vicious.workflow import budget

PARAMS = load_params(Path(__file__).resolve().parents[2] / "params.yaml")
DETECTORS = names("vicious.defense.detectors")
SCALES, DEVICES = ("smoke", "demo", "pilot", "paper"), ("cpu", "cuda")
MEASURED: dict[str, Callable[[int], float]] = {
    "cpu": lambda _width: budget.CPU.rate.flops,
    "cuda": lambda width: min(budget.GPU.rate.flops, 1.7e12 * width**2),
}
"""FLOPs a second: on a GPU narrow models wait for their kernels to start, and twice as wide ones as long, with four
times the FLOPs."""


def chosen(scale: Any, device: Any) -> Params:
    runtime = PARAMS.runtime.model_copy(update={"device": device})
    return PARAMS.model_copy(update={"scale": scale, "runtime": runtime})


def works(scale: Any, device: Any) -> list[Any]:
    """What the trainings of a scale work on, each kind once."""
    params = chosen(scale, device)
    found = {(one.task, one.model.recipe) for one in grid.trainings(params)}
    return [work(params, task, recipe) for task, recipe in sorted(found, key=str)]


def minutes(job: Any) -> float:
    """Of a joint training, by the budget at the measured rate, or by what a GPU takes to start it."""
    cost = needs.training_cost(job)
    started = cost.launches * needs.GPU_RATE.launch if job.device == "cuda" else 0.0
    return max(cost.flops / MEASURED[job.device](job.target.settings.width), started) / 60


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", SCALES)
def test_a_training_gets_what_the_budget_says_and_not_absurdly_more(scale: Any, device: Any) -> None:
    for job in works(scale, device):
        need = needs.training(job)
        memory = budget.BASE_MEMORY + needs.training_cost(job).memory
        beside = needs.CUDA * needs.MARGIN if device == "cuda" else 0
        assert memory <= need.mem_mb * 1e6 <= 3 * memory + beside, job
        assert minutes(job) + needs.START <= need.runtime <= 12 * minutes(job) + needs.START + 5, job


@pytest.mark.parametrize("scale", SCALES)
def test_a_training_on_a_gpu_gets_three_times_what_the_budget_says(scale: Any) -> None:
    for job in works(scale, "cuda"):
        seconds = budget.GPU.seconds(needs.training_cost(job)) - budget.GPU.overhead
        assert needs.training(job).runtime == needs.START + ceil(3 * seconds / 60), job


@pytest.mark.parametrize("scale", SCALES)
def test_every_job_of_a_dataset_gets_the_budgets_memory_of_its_kind(scale: Any) -> None:
    params = chosen(scale, "cpu")
    for dataset, cost in budget.budget(params).items():
        job = work(params, Task(dataset))
        d = 1024 * find_dataset(dataset).channels
        covariance = budget.BASE_MEMORY + 5 * 8 * d**2
        largest = max(needs.training(other).mem_mb for other in works(scale, "cpu"))
        assert cost.memory <= 1e6 * max(largest, needs.factorisation(job).mem_mb)
        for need in (needs.factorisation(job), needs.assessment(job)):
            assert covariance <= need.mem_mb * 1e6
        assert needs.factorisation(job).mem_mb * 1e6 <= 4 * covariance


def test_more_of_anything_never_needs_less() -> None:
    job = work(chosen("pilot", "cpu"), Task("cifar10"))
    keys = ("train", "validation", "test", "channels", "outputs", "epochs", "epoch_images")
    changes = [{key: 4 * getattr(job, key)} for key in keys]
    changes.append({"target": job.target.changed(width=4), "attack": job.attack.changed(width=4)})
    for change in changes:
        more = replace(job, **change)
        for kind in (needs.training, needs.assessment, needs.membership, needs.factorisation):
            before, after = kind(job), kind(more)
            assert after.mem_mb >= before.mem_mb, change
            assert after.runtime >= before.runtime, change
    fewer, many = (needs.detection(job, DETECTORS, [10, 50], draws) for draws in (10, 1000))
    assert fewer.runtime < many.runtime
    quick = needs.detection(job, ["entropy", "margin"], [10, 50], 1000)
    assert quick.runtime < many.runtime


# peaks of the hungriest detector, the user's own decoder, with 1,000 (200) images, PyTorch 2.14 on a CPU, by ru_maxrss
@pytest.mark.parametrize(
    ("depth", "width", "images", "peak"), [(10, 1, 1000, 873), (28, 1, 1000, 938), (10, 5, 200, 1275)]
)
def test_detectors_get_what_they_were_seen_to_take(depth: int, width: int, images: int, peak: int) -> None:
    target = model("target", "wideresnet", {"depth": depth, "width": width})
    job = replace(work(chosen("pilot", "cpu"), Task("cifar10")), target=target)
    assert peak <= needs.detection(job, DETECTORS, [10, images], 5).mem_mb <= 4 * peak


def test_membership_inference_costs_a_pass_over_as_many_training_as_test_images() -> None:
    job = replace(work(chosen("pilot", "cpu"), Task("mnist")), train=300, test=200)
    assert needs.membership_cost(job).flops == 400 * job.sizes[0].flops
    assert needs.membership_cost(replace(job, train=50)).flops == 250 * job.sizes[0].flops


def test_the_demo_fits_a_laptop() -> None:
    def detection(job: Any) -> needs.Need:
        return needs.detection(job, DETECTORS, [10, 50, 200], 3)

    params = chosen("demo", "cpu")
    for job in works("demo", "cpu"):
        kinds = (needs.training, needs.assessment, needs.membership, detection)
        assert all(kind(job).mem_mb <= 4000 and kind(job).runtime <= 30 for kind in kinds)
    whole = [work(params, Task(name)) for name in params.datasets]
    assert all(kind(job).mem_mb <= 4000 for job in whole for kind in (needs.factorisation, needs.preparation))


def test_planning_does_not_wait_for_pytorch() -> None:
    script = "import sys, vicious.study.plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
