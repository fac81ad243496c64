"""The budget: counted by hand where that can be done, and against the DAG's own job counts."""

from pathlib import Path

import pytest

from vicious.data.tasks import Task
from vicious.study import grid
from vicious.study.config import Overrides, load_params
from vicious.study.grid import EXPERIMENTS
from vicious.system.errors import ConfigError, DataError
from vicious.workflow import budget

ROOT = Path(__file__).resolve().parents[2]


def scale(name):
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": name})


def test_parameters_are_the_references():
    size = budget.model_size(28, 5, 3, 100)
    assert (size.target_parameters, size.attack_parameters) == (9_161_524, 3_706_384)


def test_flops_of_a_small_target_model_agree_with_a_count_by_hand():
    def conv(side, inside, outside, kernel):
        return 2 * side * side * inside * outside * kernel**2

    expected = conv(32, 3, 16, 3)
    expected += 2 * conv(32, 16, 16, 3)
    for side, inside, outside in ((16, 16, 32), (8, 32, 64)):
        expected += conv(side, inside, outside, 3) + conv(side, outside, outside, 3) + conv(side, inside, outside, 1)
    expected += 2 * 64 * 10
    assert budget.model_size(10, 1, 3, 10).target_flops == pytest.approx(expected)


def test_training_flops_count_each_pass():
    size = budget.Size(0, 0, 10.0, 1.0, 0.0)
    n = {"train": 100, "validation": 10, "test": 5}
    both = budget.training_flops(size, n, 3, target=True, attack=True)
    assert both == 3 * (2 * 100 * 11 * 3 + 10 * 11)
    frozen = budget.training_flops(size, n, 1, target=False, attack=True)
    assert frozen == 2 * 100 * (11 + 2 * 1) + 10 * 11


def test_totals_are_sums_and_extremes():
    costs = budget.budget(scale("paper"))
    whole = budget.total(costs.values())
    assert whole.jobs == sum(cost.jobs for cost in costs.values())
    assert whole.memory == max(cost.memory for cost in costs.values())
    assert whole.hours(budget.GPU) == pytest.approx(sum(cost.hours(budget.GPU) for cost in costs.values()))


def test_class_counts_use_the_images_of_the_smallest_count():
    params = scale("paper")
    n = budget.images(params.cell("cifar100"), "cifar100")
    assert n["train"] == 45_000
    assert budget.task_images(params, Task("cifar100", classes=100), n)["train"] == 4_500
    assert budget.task_images(params, Task("cifar100"), n) == n


def test_measured_hours_add_up_the_provenance_of_the_scales_cells(tmp_path):
    for name, seconds in (
        ("models/mnist/honest/seed0/train_honest", 1800),
        ("assessments/mnist/honest/seed0/risk-posthoc-logits", 5400),
        ("models/mnist/honest/seed7/train_honest", 7),  # a seed that the scale no longer has
        ("summaries/main", 7),
    ):
        path = tmp_path / f"{name}.provenance.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"seconds": {seconds}}}')
    assert budget.measured(scale("demo"), tmp_path) == (2, 2.0)


@pytest.mark.parametrize("content", [None, "{", "{}", "[]", '{"seconds": null}'])
def test_measured_hours_need_results_that_can_be_read(tmp_path, content):
    if content is not None:
        path = tmp_path / "models/mnist/honest/seed0/train_honest.provenance.json"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    with pytest.raises(DataError, match="holds no results of scale demo" if content is None else "cannot read"):
        budget.measured(scale("demo"), tmp_path)


def test_without_data_the_budget_has_three_jobs_less_for_each_dataset():
    whole, part = (budget.total(budget.budget(scale("demo"), data=data).values()) for data in (True, False))
    assert part.jobs == whole.jobs - 3 * 6
    assert part.trainings == whole.trainings
    assert part.flops < whole.flops


def test_the_table_names_every_dataset_and_the_total():
    text = budget.table(budget.budget(scale("demo")))
    assert len(text.splitlines()) == 2 + 6 + 1
    assert "Tiny ImageNet" in text
    assert text.splitlines()[-1].startswith("| total |")


def test_experiments_cost_no_more_than_the_study_and_share_what_they_have_in_common():
    params = scale("pilot")
    whole = budget.total(budget.budget(params).values())
    parts = [budget.total(budget.budget(params, experiments=[name]).values()) for name in EXPERIMENTS]
    assert max(part.trainings for part in parts) < whole.trainings < sum(part.trainings for part in parts)
    main = budget.total(budget.budget(params, experiments=["main"]).values())
    assert main.trainings == sum(
        len({(cell.task, cell.model, cell.seed) for cell in cells}) + sum(cell.attack != "joint" for cell in cells)
        for cells in [grid.cells(params, "main")]
    )


def test_a_datasets_own_seeds_count():
    params = scale("smoke").model_copy(update={"datasets": ["mnist", "cifar10"]})
    study_ = params.study.model_copy(update={"overrides": {"mnist": Overrides(seeds=[0, 1, 2])}})
    more = params.model_copy(update={"scales": params.scales.model_copy(update={"smoke": study_})})
    before, after = (budget.budget(one, experiments=["main"]) for one in (params, more))
    assert after["cifar10"] == before["cifar10"]
    assert after["mnist"].trainings == 3 * before["mnist"].trainings


def test_an_experiment_that_the_scale_leaves_out_has_no_budget():
    params = scale("pilot")
    empty = params.model_copy(update={"datasets": ["mnist"]})
    with pytest.raises(ConfigError, match="has no attribute_sets"):
        budget.budget(empty, experiments=["attribute_sets"])
