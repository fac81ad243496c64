"""The study's grid: what each experiment consists of, and what one more seed, weight or dataset adds."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from vicious.data.datasets import dataset_names, find_dataset
from vicious.data.tasks import Task, parse_task
from vicious.models.means import Means
from vicious.study import grid
from vicious.study.config import Params, load_params
from vicious.system import registry

ROOT = Path(__file__).resolve().parents[2]
SCALES = ("smoke", "demo", "pilot", "paper")


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def at(params: Params, scale: str, **changes: Any) -> Params:
    """The study at a scale, with keys of its block changed."""
    block = getattr(params.scales, scale).model_copy(update=changes)
    scales = params.scales.model_copy(update={scale: block})
    return params.model_copy(update={"scale": scale, "scales": scales})


def by_the_original(params: Params, scale: str, **changes: Any) -> Params:
    """As :func:`at`, with no attack but the original's."""
    block = getattr(params.scales, scale).attack_models.model_copy(update={"experiments": []})
    return at(params, scale, attack_models=block, **changes)


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_has_every_experiment(params: Any, scale: Any) -> None:
    chosen = by_the_original(params, scale)
    for experiment in grid.EXPERIMENTS:
        cells = grid.cells(chosen, experiment)
        assert cells, experiment
        assert len(set(cells)) == len(cells)
        joint = {cell.attack.kind for cell in cells if cell.model.role != "honest"} == {"joint"}
        assert joint == (experiment not in ("attackers", "defense", "mitigations"))
        assert not any(cell.attack.kind == "joint" for cell in cells if cell.model.role == "honest")


def test_paper_scale_is_the_whole_grid(params: Any) -> None:
    paper = by_the_original(params, "paper")
    main = grid.cells(paper, "main")
    for dataset in dataset_names():
        own = [cell for cell in main if cell.task == Task(dataset)]
        for outputs in ("logits", "softmax"):
            for seed in (0, 1, 2):
                joint, posthoc = grid.Attack(outputs, "joint"), grid.Attack(outputs)
                assert grid.Cell(Task(dataset), grid.HONEST, posthoc, seed) in own
                for beta_r in (1.0, 3.0, 5.0):
                    assert grid.Cell(Task(dataset), grid.Model("vicious", outputs, 1.0, beta_r), joint, seed) in own
                assert grid.Cell(Task(dataset), grid.Model("autoencoder", outputs, 0.0, 1.0), joint, seed) in own
        assert len(own) == 30
    sweep = sorted({cell.model.beta_r for cell in grid.cells(paper, "tradeoff")} - {0.0})
    assert (sweep[0], sweep[-1]) == (0.1, 10.0)
    assert {grid.task_outputs(cell.task) for cell in grid.cells(paper, "attribute_sets")} == {
        len(columns) for columns in find_dataset("celeba").attribute_sets.values()
    }
    counts = {(cell.task.dataset, cell.task.classes) for cell in grid.cells(paper, "class_counts")}
    assert counts == {
        *(("cifar100", count) for count in (10, 20, 50, 100)),
        *(("tiny_imagenet", count) for count in (10, 20, 50, 100, 200)),
    }


def test_models_shared_by_experiments_are_trained_once(params: Any) -> None:
    demo = at(params, "demo")
    trained = grid.trainings(demo)
    assert len(set(trained)) == len(trained)
    parts = [
        {cell.model for cell in grid.cells(demo, experiment) if cell.task == Task("mnist")}
        for experiment in ("main", "tradeoff", "defense", "mitigations")
    ]
    recipes = {one.model for one in grid.judged(demo) if one.model.recipe and one.task == Task("mnist")}
    assert len(parts[0] & parts[1]) == len(parts[0] & parts[2]) == 2
    assert parts[3] < parts[0]
    assert {one.model for one in trained if one.task == Task("mnist")} == set().union(*parts, recipes)


def test_detectors_judge_models_that_are_trained(params: Any) -> None:
    for scale in SCALES:
        chosen = at(params, scale)
        trained, judged = set(grid.trainings(chosen, ["defense"])), grid.judged(chosen)
        assert {grid.Training(one.task, one.model.trained, one.seed) for one in judged} == trained
        assert len(set(judged)) == len(judged)
        block = chosen.study.defense
        for task in {one.task for one in judged}:
            own = [one for one in judged if one.task == task]
            assert len([one for one in own if one.model == grid.HONEST]) == len(block.seeds)
            assert {one.model.recipe for one in own} == {None, *block.recipes}
            penalties = {(name, weight) for name, weights in block.evasion.items() for weight in weights}
            assert {(one.model.evades, one.model.evasion) for one in own} == {(None, 0.0), *penalties}
            assert {one.model.hidden for one in own} == {None, *block.hidden}


def test_a_hidden_code_is_no_training_of_its_own(params: Any) -> None:
    smoke = at(params, "smoke")
    hidden = [one for one in grid.judged(smoke) if one.model.hidden]
    names = {"vicious-logits-beta1", "vicious-logits-beta1-evasion1"}
    assert {str(one.model) for one in hidden} == {f"{name}-shuffled" for name in names}
    assert {str(one.model.trained) for one in hidden} == names


def test_adaptive_servers_are_attacked_as_they_train_and_afterwards(params: Any) -> None:
    pilot = by_the_original(params, "pilot")
    attacks = {
        (cell.model.evades, cell.model.evasion, cell.attack)
        for cell in grid.cells(pilot, "defense")
        if cell.model.role == "vicious"
    }
    penalties = {(name, weight) for name, weights in pilot.study.defense.evasion.items() for weight in weights}
    assert {name for name, _ in penalties} == {*registry.names("vicious.training.penalties")}
    both = (grid.Attack("logits", "joint"), grid.Attack("logits"))
    assert attacks == {(*penalty, attack) for penalty in {(None, 0.0), *penalties} for attack in both}


def test_no_weights_and_no_detectors_mean_no_server_that_evades(params: Any) -> None:
    empty: tuple[dict[str, list[float]], ...] = ({}, {"linear_decodability": [], "distance_correlation": []})
    for evasion in empty:
        block = params.scales.smoke.defense.model_copy(update={"evasion": evasion})
        assert {one.model.evades for one in grid.judged(at(params, "smoke", defense=block))} == {None}


def test_names_of_models_differ_and_tell_how_they_came_about(params: Any) -> None:
    names = {str(one.model) for one in grid.judged(at(params, "pilot"))}
    assert {"honest", "honest-wider", "vicious-logits-beta0.3", "vicious-logits-beta1-evasion0.3"} <= names
    assert "vicious-logits-beta1-evasion1-distance_correlation" in names
    models = {
        one.model for scale in SCALES for one in [*grid.trainings(at(params, scale)), *grid.judged(at(params, scale))]
    }
    assert len({str(model) for model in models}) == len(models)


def test_every_treatment_meets_the_same_models_and_some_a_server_that_trains_for_them(params: Any) -> None:
    pilot = by_the_original(params, "pilot")
    block, cells = pilot.study.mitigations, grid.cells(pilot, "mitigations")
    count = 2 * len(block.outputs) + len(block.trained_for)
    assert len(cells) == len(block.datasets) * count * len(block.seeds)
    for outputs in block.outputs:
        models = {str(cell.model) for cell in cells if cell.attack == grid.Attack(outputs)}
        aware = {f"vicious-{outputs}-beta1"} if outputs in block.trained_for else set()
        assert models == {"honest", "vicious-logits-beta1", *aware}


def test_one_more_weight_adds_one_model_for_each_dataset_and_outputs(params: Any) -> None:
    before = grid.attacks(by_the_original(params, "demo"))
    betas = [*params.scales.demo.beta_r, 7.0]
    after = grid.attacks(by_the_original(params, "demo", beta_r=betas))
    added = set(after) - set(before)
    assert set(before) <= set(after)
    assert {cell.model.beta_r for cell in added} == {7.0}
    demo = at(params, "demo")
    assert len(added) == sum(len(demo.cell(dataset).outputs) for dataset in params.datasets)


@pytest.mark.parametrize("scale", SCALES)
def test_every_model_of_the_experiments_named_is_read_by_every_attack_and_the_best(params: Any, scale: Any) -> None:
    chosen = at(params, scale)
    block = chosen.study.attack_models
    for experiment in block.experiments:
        cells = grid.cells(chosen, experiment)
        for target, outputs in {(cell.target, cell.attack.outputs) for cell in cells}:
            attacks = {cell.attack for cell in cells if (cell.target, cell.attack.outputs) == (target, outputs)}
            due = {grid.Attack(outputs, model=name) for name in ("mirror", *block.models)}
            due |= {grid.Attack(outputs, "joint")} if target.model.outputs == outputs else set()
            assert attacks == {*due, grid.Attack(outputs, "best")}
            (best,) = (cell for cell in cells if (cell.target, cell.attack) == (target, grid.Attack(outputs, "best")))
            assert {cell.attack for cell in grid.rivals(chosen, best)} == due
            assert {cell.target for cell in grid.rivals(chosen, best)} == {target}


def test_other_experiments_are_read_by_the_originals_alone(params: Any) -> None:
    experiments = [name for name in grid.EXPERIMENTS if name != "attackers"]
    cells = grid.attacks(by_the_original(params, "demo"), experiments)
    assert {cell.attack.model for cell in cells} == {"mirror"}
    assert {cell.attack.kind for cell in cells} == {"joint", "posthoc"}


def test_a_dataset_may_have_attack_models_of_its_own() -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    raw["scales"]["demo"]["overrides"]["mnist"]["attack_models"] = {"models": {"linear_ridge": {}}}
    demo = Params.model_validate({**raw, "scale": "demo"})
    models = {
        dataset: {cell.attack.model for cell in grid.cells(demo, "main") if cell.task == Task(dataset)}
        for dataset in ("mnist", "cifar10")
    }
    assert models["mnist"] == {"mirror", "linear_ridge"}
    assert models["cifar10"] == {"mirror", *demo.study.attack_models.models}


def test_names_of_attacks_tell_what_they_read_and_with_what() -> None:
    attacks = (grid.Attack("logits"), grid.Attack("logits", "joint"), grid.Attack("top3", model="upsampling"))
    assert [str(attack) for attack in attacks] == ["posthoc-logits", "joint", "posthoc-top3-upsampling"]
    assert str(grid.Attack("softmax", "best")) == "best-softmax"


def test_a_narrowed_study_asks_for_nothing_of_other_datasets(params: Any) -> None:
    narrow = at(params, "paper").model_copy(update={"datasets": ["mnist"]})
    assert {cell.task.dataset for cell in grid.attacks(narrow)} == {"mnist"}
    assert grid.cells(narrow, "attribute_sets") == grid.cells(narrow, "class_counts") == []


def test_merged_classes_are_of_whole_datasets_and_none_where_groups_are_classes(params: Any) -> None:
    paper = at(params, "paper")
    merged = {(cell.task.dataset, cell.task.merged) for cell in grid.cells(paper, "merged_classes")}
    assert merged == {
        *(("cifar10", groups) for groups in (2, 5, None)),
        *(("cifar100", groups) for groups in (10, 20, 50, None)),
    }
    assert {grid.task_outputs(cell.task) for cell in grid.cells(paper, "merged_classes")} == {2, 5, 10, 20, 50, 100}
    assert grid.settings(paper, Task("cifar100", merged=10)) == paper.cell("cifar100")


@pytest.mark.parametrize("name", ["mnist", "celeba-k5", "cifar100-classes20", "cifar100-merged20", "tiny_imagenet"])
def test_names_of_tasks_go_there_and_back(name: str) -> None:
    assert str(parse_task(name)) == name
    assert parse_task(parse_task(name).folder) == parse_task(name)


@pytest.mark.parametrize("name", ["celeba-k11", "cifar100-classes", "mnist-", "mnist-classes20x"])
def test_what_is_no_task_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no task"):
        parse_task(name)
    assert grid.task_title(name) == name


def test_titles() -> None:
    assert grid.task_title("celeba-k1") == "CelebA, 1 attribute"
    assert grid.task_title("cifar100-classes20") == "CIFAR-100, 20 classes"
    assert grid.task_title("fashion_mnist") == "Fashion-MNIST"
    assert grid.task_title("minst") == "minst"
    tasks = (Task("celeba"), Task("celeba", "k5"), Task("cifar100", classes=20))
    assert [grid.task_outputs(task) for task in tasks] == [40, 5, 20]


def test_class_counts_have_epochs_of_their_own(params: Any) -> None:
    demo = at(params, "demo")
    assert grid.settings(demo, Task("mnist")).epochs == params.scales.demo.epochs
    assert grid.settings(demo, Task("cifar100")).epochs == demo.cell("cifar100").epochs
    assert grid.settings(demo, Task("cifar100", classes=20)).epochs == params.scales.demo.class_counts.epochs


def test_a_dataset_may_have_treatments_of_its_own(params: Any) -> None:
    demo = at(params, "demo")
    sent: dict[str, set[str]] = {dataset: set() for dataset in demo.datasets}
    for cell in grid.cells(demo, "mitigations"):
        sent[cell.task.dataset].add(cell.attack.outputs)
    assert sent["fashion_mnist"] == set(demo.cell("fashion_mnist").mitigations.outputs) > {"logits", "label"}
    assert sent["cifar10"] == {"logits", "label"}


def test_attackers_differ_from_the_studys_in_one_thing_each(params: Any) -> None:
    own = params.scales.pilot
    every = ["mirror", "conditioned", "components", "linear_ridge", "kernel_ridge"]
    pilot = at(params, "pilot", attackers=own.attackers.model_copy(update={"models": every}))
    cells = grid.cells(pilot, "attackers")
    mnist = {cell for cell in cells if cell.task == Task("mnist") and cell.model == grid.HONEST and cell.seed == 0}
    usual = grid.Attack("logits", model="kernel_ridge")
    means = [Means(), Means(budget=2), Means(images=500), Means(images=4000), Means(of="fashion_mnist")]
    assert {cell.attack for cell in mnist if cell.attack.model == "kernel_ridge"} == {
        dataclasses.replace(usual, means=one) for one in means
    }
    budgets = {cell.attack.model for cell in mnist if cell.attack.means.budget == 2}
    assert budgets == {"mirror", "conditioned", "components", "kernel_ridge"}, "linear ridge is exact"
    without = pilot.model_copy(update={"datasets": ["mnist"]})
    others = {cell.attack.means.of for cell in grid.cells(without, "attackers")}
    assert others == {""}, "no images of a dataset that is not in the study"


def test_attacks_of_other_means_have_files_of_their_own() -> None:
    names = [
        str(grid.Attack("logits", model=model, means=means))
        for model in ("mirror", "kernel_ridge")
        for means in (Means(), Means(budget=2), Means(images=500), Means(of="mnist"))
    ]
    assert len(set(names)) == 8
    assert names[0] == "posthoc-logits"
    assert names[6] == "posthoc-logits-kernel_ridge-images500"
