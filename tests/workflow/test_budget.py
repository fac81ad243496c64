"""The budget: counted by hand where that can be done, and against the DAG's own job counts."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from models_by_hand import F, G

from vicious.data.tasks import Task
from vicious.models.architecture import model
from vicious.models.size import Size
from vicious.steps._needs import Cost, Rate, Work, training_cost
from vicious.steps.train_attack import TrainAttack
from vicious.study import grid
from vicious.study.config import Overrides, Params, load_params
from vicious.study.grid import EXPERIMENTS
from vicious.study.plan import Plan
from vicious.study.work import images, task_images
from vicious.system.errors import ConfigError
from vicious.workflow import budget

ROOT = Path(__file__).resolve().parents[2]


def scale(name: str) -> Params:
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": name})


def test_training_flops_count_each_pass() -> None:
    class Sized(Work):
        sizes = Size(flops=10, parameters=3, layers=7), Size(flops=1, parameters=2, layers=5)

    counts = {"images": 115, "train": 1000, "validation": 10, "test": 5, "epoch_images": 100, "batch_images": 4}
    job = Sized(raw=0, channels=1, outputs=1, target=F, attack=G, epochs=3, device="cpu", **counts)
    assert training_cost(job).flops == 3 * (2 * 100 * 11 * 3 + 10 * 11)
    assert training_cost(job, target=False).flops == 3 * (2 * 100 * (11 + 2 * 1) + 10 * 11)
    assert training_cost(replace(job, copies=1), attack=False).flops == 3 * (100 * 10 * 3 + 10 * 10)
    costs = training_cost(job), training_cost(job, target=False), training_cost(job, attack=False)
    assert [cost.disk for cost in costs] == [40_020, 40_008, 40_012]
    assert [cost.launches for cost in costs] == [3 * 25 * 12 * 3, 3 * 25 * (12 + 2 * 5), 3 * 25 * 7 * 3]


def test_a_job_takes_its_flops_or_its_launches_whichever_are_longer() -> None:
    device = budget.Device("a GPU", Rate(flops=10.0, launch=2.0), overhead=1.0, parallel=1)
    assert device.seconds(Cost(flops=100.0, launches=3.0)) == 10 + 1
    assert device.seconds(Cost(flops=100.0, launches=7.0)) == 14 + 1


@pytest.mark.parametrize(("dataset", "rate"), [("mnist", 1.7e12), ("cifar10", 31e12)])
def test_a_joint_training_reaches_the_rate_that_was_measured_at_its_width(dataset: str, rate: float) -> None:
    steps = Plan(scale("paper"), ["main"]).steps
    job = next(one.cost for one in steps if one.dataset == dataset and one.step.command() == "train-vicious")
    assert budget.GPU.seconds(job) - budget.GPU.overhead == pytest.approx(job.flops / rate, rel=0.02)


def test_narrow_models_take_no_less_than_their_launches_whatever_the_rate() -> None:
    _, slow = budget.with_rates(None, 31.0, None)
    _, fast = budget.with_rates(None, 310.0, "a faster GPU")
    costs = budget.budget(scale("paper"))
    plan = Plan(scale("paper")).steps
    trainings = sum(one.dataset == "mnist" and one.cost.launches > 0 for one in plan)
    assert costs["mnist"].hours(slow) == pytest.approx(trainings * 40_000 * 0.045 / 3600, rel=0.2)  # 31 to 63 ms a step
    assert costs["mnist"].hours(fast) == pytest.approx(costs["mnist"].hours(slow), rel=0.03)
    assert costs["celeba"].hours(fast) < costs["celeba"].hours(slow)


def test_an_attack_model_costs_what_its_own_schedule_takes() -> None:
    def costs(epochs: int) -> dict[str, Cost]:
        own = {"conditioned": {"epochs": epochs}, "components": {"epochs": epochs}}
        params = scale("pilot")
        block = params.study.attack_models.model_copy(update={"models": own})
        study = params.study.model_copy(update={"attack_models": block})
        changed = params.model_copy(update={"scales": params.scales.model_copy(update={"pilot": study})})
        steps = Plan(changed, ["main"]).steps
        attacks = {
            one.step.attack_model: one for one in steps if isinstance(one.step, TrainAttack) and one.dataset == "mnist"
        }
        assert all(15 <= one.need.runtime < 60 for name, one in attacks.items() if name != "mirror")
        return {name: one.cost for name, one in attacks.items()}

    once, more = costs(10), costs(20)
    f, images, judged = F.size(1, 10), 20_000, 1000
    for name in ("conditioned", "components"):
        attack = model("attack", name, {"depth": 10, "width": 1} if name == "conditioned" else {})
        size, beside = attack.size(1, 10), attack.condition_flops(images, 1, 10)
        expected = (images + judged) * f.flops + 10 * (3 * images + judged) * size.flops
        assert once[name].flops == pytest.approx(expected + beside)
        assert more[name].flops - once[name].flops == pytest.approx(10 * (3 * images + judged) * size.flops)
    assert once["mirror"] == more["mirror"]


def test_without_augmentation_half_the_rows_are_trained() -> None:
    params = scale("demo")
    plain = params.study.model_copy(update={"augmented": False})
    other = params.model_copy(update={"scales": params.scales.model_copy(update={"demo": plain})})
    for one, half in zip(Plan(params, ["main"]).steps, Plan(other, ["main"]).steps, strict=True):
        of_study = getattr(one.step, "attack_model", "mirror") == "mirror"  # others have schedules of their own
        if one.step.STAGE == "models" and of_study:
            frozen = one.step.command() == "train-attack"  # images without copies are shown to F once
            assert (0.2 if frozen else 0.5) <= half.cost.flops / one.cost.flops < 0.6
            assert half.cost.memory < one.cost.memory
            assert half.need.runtime <= one.need.runtime


def test_some_datasets_cost_what_they_cost_among_all() -> None:
    params = scale("demo")
    some = budget.budget(budget.with_datasets(params, ["celeba", "fashion_mnist", "mnist", "celeba"]))
    every = ("mnist", "fashion_mnist", "celeba")  # MNIST's attackers have images of Fashion-MNIST
    assert some == {name: cost for name, cost in budget.budget(params).items() if name in every}
    assert budget.with_datasets(params, None) == params


def test_the_table_shows_the_flops_of_a_vicious_training_and_not_of_a_dearer_honest_one() -> None:
    found = budget.budget(scale("paper"))["cifar10"].vicious_flops
    rows, image = 2 * 45_000 * 100, 3 * 3.157e9  # 9.47 GFLOP a row
    assert found == pytest.approx(rows * image + 100 * 5_000 * image / 3, rel=1e-3)
    assert budget.budget(scale("paper"), experiments=["mitigations"])["mnist"].vicious_flops > 0


def test_planning_needs_neither_pytorch_nor_pandas() -> None:
    script = (
        "import sys, pathlib; from vicious.study.config import load_params; from vicious.workflow import budget;"
        "budget.table(budget.budget(load_params(pathlib.Path(sys.argv[1]))));"
        "sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(ROOT / "params.yaml")], check=False).returncode == 0


def test_totals_are_sums_and_extremes() -> None:
    costs = budget.budget(scale("paper"))
    whole = budget.total(costs.values())
    assert whole.jobs == sum(cost.jobs for cost in costs.values())
    assert whole.memory == max(cost.memory for cost in costs.values())
    assert whole.hours(budget.GPU) == pytest.approx(sum(cost.hours(budget.GPU) for cost in costs.values()))


def test_class_counts_use_the_images_of_the_smallest_count() -> None:
    params = scale("paper")
    n = images(params.cell("cifar100"), "cifar100")
    assert n["train"] == 45_000
    assert task_images(params, Task("cifar100", classes=100), n)["train"] == 4_500
    assert task_images(params, Task("cifar100"), n) == n


@pytest.mark.parametrize("name", ["smoke", "demo", "pilot", "paper"])
def test_jobs_are_the_plans_steps_before_the_summaries(name: str) -> None:
    stages = [one.step.STAGE for one in Plan(scale(name)).steps]
    whole = budget.total(budget.budget(scale(name)).values())
    assert whole.jobs == sum(stages.count(stage) for stage in ("data", "models", "assessments"))
    assert whole.trainings == stages.count("models")


def test_the_table_names_every_dataset_and_the_total() -> None:
    text = budget.table(budget.budget(scale("demo")))
    assert len(text.splitlines()) == 2 + 6 + 1
    assert "Tiny ImageNet" in text
    assert text.splitlines()[-1].startswith("| total |")


def test_experiments_cost_no_more_than_the_study_and_share_what_they_have_in_common() -> None:
    params = scale("pilot")
    whole = budget.total(budget.budget(params).values())
    parts = [budget.total(budget.budget(params, experiments=[name]).values()) for name in EXPERIMENTS]
    assert max(part.trainings for part in parts) < whole.trainings < sum(part.trainings for part in parts)
    main = budget.total(budget.budget(params, experiments=["main"]).values())
    assert main.trainings == sum(
        len({(cell.task, cell.model, cell.seed) for cell in cells})
        + sum(cell.attack.kind == "posthoc" for cell in cells)
        for cells in [grid.cells(params, "main")]
    )


def test_a_datasets_own_seeds_count() -> None:
    params = scale("smoke").model_copy(update={"datasets": ["mnist", "cifar10"]})
    study_ = params.study.model_copy(update={"overrides": {"mnist": Overrides.model_validate({"seeds": [0, 1, 2]})}})
    more = params.model_copy(update={"scales": params.scales.model_copy(update={"smoke": study_})})
    before, after = (budget.budget(one, experiments=["main"]) for one in (params, more))
    assert after["cifar10"] == before["cifar10"]
    assert after["mnist"].trainings == 3 * before["mnist"].trainings


def test_an_experiment_that_the_scale_leaves_out_has_no_budget() -> None:
    params = scale("pilot")
    empty = params.model_copy(update={"datasets": ["mnist"]})
    with pytest.raises(ConfigError, match="has no attribute_sets"):
        budget.budget(empty, experiments=["attribute_sets"])


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (7200, "2.0 h")]
)
def test_durations(seconds: float, words: str) -> None:
    assert budget.duration(seconds) == words
