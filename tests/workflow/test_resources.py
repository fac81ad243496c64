"""What jobs ask for: never below what the models cost by the budget, and not absurdly above, whatever the scale and the device."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vicious.data.catalog import CATALOG
from vicious.study import grid
from vicious.study.config import load_params
from vicious.workflow import budget, resources

PARAMS = load_params(Path(__file__).resolve().parents[2] / "params.yaml")
SCALES, DEVICES = ("smoke", "demo", "pilot", "paper"), ("cpu", "cuda")
MEASURED = {"cpu": lambda _width: budget.CPU.rate, "cuda": lambda width: budget.GPU.rate if width >= 5 else 1.7e12}
"""FLOPs a second: on a GPU narrow models wait for their kernels to start."""


def chosen(scale, device):
    runtime = PARAMS.runtime.model_copy(update={"device": device})
    return PARAMS.model_copy(update={"scale": scale, "runtime": runtime})


def works(scale, device):
    """What the trainings of a scale work on, each kind once."""
    params = chosen(scale, device)
    found = {(str(one.task), one.model.recipe) for one in grid.trainings(params)}
    return [resources.work(params, task, recipe) for task, recipe in sorted(found, key=str)]


def size(work):
    return budget.model_size(work.depth, work.width, work.channels, work.outputs)


def minutes(work):
    """Of a joint training, by the budget at the measured rate."""
    n = {"train": work.epoch_images, "validation": work.validation, "test": work.test}
    flops = budget.training_flops(size(work), n, work.epochs, target=True, attack=True)
    return flops / MEASURED[work.device](work.width) / 60


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", SCALES)
def test_a_training_gets_what_the_budget_says_and_not_absurdly_more(scale, device):
    for work in works(scale, device):
        need = resources.training(work)
        memory = budget.training_memory(size(work), work.batch_images)
        beside = resources.CUDA * resources.MARGIN if device == "cuda" else 0
        assert memory <= need.mem_mb * 1e6 <= 3 * memory + beside, work
        assert minutes(work) + resources.START <= need.runtime <= 12 * minutes(work) + resources.START + 5, work


@pytest.mark.parametrize("scale", SCALES)
def test_every_job_of_a_dataset_gets_the_budgets_memory_of_its_kind(scale):
    params = chosen(scale, "cpu")
    for dataset, cost in budget.budget(params).items():
        work = resources.work(params, dataset)
        d = 1024 * CATALOG[dataset].channels
        covariance = budget.BASE_MEMORY + 5 * 8 * d**2
        largest = max(resources.training(other).mem_mb for other in works(scale, "cpu"))
        assert cost.memory <= 1e6 * max(largest, resources.factorisation(work).mem_mb)
        for need in (resources.factorisation(work), resources.assessment(work)):
            assert covariance <= need.mem_mb * 1e6
        assert resources.factorisation(work).mem_mb * 1e6 <= 4 * covariance


def test_more_of_anything_never_needs_less():
    work = resources.work(chosen("pilot", "cpu"), "cifar10")
    for key in ("train", "validation", "test", "channels", "outputs", "width", "epochs", "epoch_images"):
        more = replace(work, **{key: 4 * getattr(work, key)})
        for kind in (resources.training, resources.assessment, resources.factorisation):
            before, after = kind(work), kind(more)
            assert after.mem_mb >= before.mem_mb, key
            assert after.runtime >= before.runtime, key
    fewer, more = (resources.detection(work, [10, 50], draws) for draws in (10, 1000))
    assert fewer.runtime < more.runtime


# peaks of the hungriest detector, the user's own decoder, with 1,000 (200) images, PyTorch 2.14 on a CPU, by ru_maxrss
@pytest.mark.parametrize(
    ("depth", "width", "images", "peak"), [(10, 1, 1000, 873), (28, 1, 1000, 938), (10, 5, 200, 1275)]
)
def test_detectors_get_what_they_were_seen_to_take(depth, width, images, peak):
    work = replace(resources.work(chosen("pilot", "cpu"), "cifar10"), depth=depth, width=width)
    assert peak <= resources.detection(work, [10, images], 5).mem_mb <= 4 * peak


def test_detectors_take_the_gradient_of_as_many_images_as_is_said():
    from vicious.defense.stated_loss import AT_ONCE

    assert resources.AT_ONCE == AT_ONCE


def test_the_demo_fits_a_laptop():
    params = chosen("demo", "cpu")
    for work in works("demo", "cpu"):
        kinds = (resources.training, resources.assessment, lambda one: resources.detection(one, [10, 50, 200], 3))
        assert all(kind(work).mem_mb <= 4000 and kind(work).runtime <= 30 for kind in kinds)
    assert all(resources.factorisation(resources.work(params, name)).mem_mb <= 4000 for name in params.datasets)
    assert all(resources.preparation(params, name).mem_mb <= 4000 for name in params.datasets)


def test_planning_does_not_wait_for_pytorch():
    script = "import sys, vicious.workflow.resources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
