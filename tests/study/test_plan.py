"""The plan: what it consists of at every scale, that it is closed, and that what is left out leaves nothing behind."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from vicious.steps import Stage
from vicious.study import grid, paths
from vicious.study.artifacts import known
from vicious.study.config import Params, ScaleParams, load_params
from vicious.study.plan import Plan, Planned

ROOT = Path(__file__).resolve().parents[2]
SCALES = ("smoke", "demo", "pilot", "paper")


@cache
def params(scale: str) -> Params:
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": scale})


@cache
def plan(scale: str) -> Plan:
    return Plan(params(scale))


def changed(scale: str, **changes: object) -> Params:
    """The study at a scale, with keys of its block changed."""
    whole = params(scale)
    block = whole.study.model_copy(update=changes)
    return whole.model_copy(update={"scales": whole.scales.model_copy(update={scale: block})})


def without(experiment: str, block: ScaleParams) -> dict[str, object]:
    """The change of a scale's block that leaves an experiment out, as its key's comment says."""
    empty = {"attribute_sets": {"sets": []}, "class_counts": {"counts": {}}, "merged_classes": {"groups": {}}}
    update = empty.get(experiment, {"datasets": []})
    return {experiment: getattr(block, experiment).model_copy(update=update)}


def files(one: Planned) -> set[str]:
    return {*map(str, one.step.reads()), *one.outputs}


COUNTS = {
    "smoke": {"train_honest": 12, "train_vicious": 22, "train_attack": 35, "assess_risk": 56, "evaluate_defense": 14},
    "demo": {"train_honest": 18, "train_vicious": 22, "train_attack": 79, "assess_risk": 101, "evaluate_defense": 36},
    "pilot": {
        **{"train_honest": 63, "train_vicious": 90, "train_attack": 928},
        **{"assess_risk": 1018, "evaluate_defense": 35},
    },
    "paper": {
        **{"train_honest": 183, "train_vicious": 597, "train_attack": 1945},
        **{"assess_risk": 2380, "evaluate_defense": 354},
    },
}
"""Jobs of the rules that take long: those of a committed configuration."""


@pytest.mark.parametrize("scale", SCALES)
def test_the_plan_has_so_many_steps_of_each_rule(scale: Any) -> None:
    found = Counter(one.step.rule() for one in plan(scale).steps)
    attacks, trainings = grid.attacks(params(scale)), grid.trainings(params(scale))
    honest = sum(one.model.role == "honest" for one in trainings)
    assert found == {
        **dict.fromkeys(("fetch", "prepare", "fit_covariance"), 6),
        "train_honest": honest,
        "train_vicious": len(trainings) - honest,
        "train_attack": sum(cell.attack.kind == "posthoc" for cell in attacks),
        "assess_risk": sum(cell.attack.kind != "best" for cell in attacks),
        "choose_best": sum(cell.attack.kind == "best" for cell in attacks),
        "evaluate_defense": len(grid.judged(params(scale))),
        "measure_membership": len(grid.sought(params(scale))),
        **dict.fromkeys(("summarize", "compare", "check_complete"), len(grid.EXPERIMENTS)),
        **dict.fromkeys(("agree", "per_class", "summarize_membership", "write_metrics", "summarize_defense"), 1),
        **dict.fromkeys(known(), 1),
    }
    assert {rule: found[rule] for rule in COUNTS[scale]} == COUNTS[scale]


@pytest.mark.parametrize("scale", SCALES)
def test_every_input_is_an_output_of_an_earlier_step(scale: Any) -> None:
    made: set[str] = set()
    for one in plan(scale).steps:
        assert set(map(str, one.step.reads())) <= made, one.step
        made.update(one.outputs)
    assert plan(scale).steps[0].step.command() == "fetch"


@pytest.mark.parametrize("scale", SCALES)
def test_every_step_is_found_by_its_rule_and_names_and_by_its_record(scale: Any) -> None:
    for one in plan(scale).steps:
        assert plan(scale).find(one.step.rule(), one.names) is one
        record = one.step.record()
        assert record is None or plan(scale).by_record[str(record)] is one


@pytest.mark.parametrize("scale", SCALES)
def test_everything_lies_in_the_folders_of_the_scale(scale: Any) -> None:
    folders = (*paths.built(scale), Path("logs") / scale)
    for one in plan(scale).steps:
        for file in (*one.outputs, one.log):
            assert any(Path(file).is_relative_to(folder) for folder in folders), file


@pytest.mark.parametrize("scale", ["smoke", "pilot"])
@pytest.mark.parametrize("dataset", ["mnist", "cifar100", "celeba"])
def test_a_dataset_that_is_left_out_leaves_nothing_behind(scale: str, dataset: str) -> None:
    others = [name for name in params(scale).datasets if name != dataset]
    fewer = Plan(params(scale).model_copy(update={"datasets": others}))
    assert not [file for one in fewer.steps for file in files(one) if f"/{dataset}/" in file]
    assert {one.dataset for one in fewer.steps} == {None, *others}
    rest = [one for one in plan(scale).steps if one.dataset in others]
    kept = {one.log: one for one in rest if f"of_{dataset}" not in one.names.get("attack", "")}
    assert {one.log: one for one in fewer.steps if one.dataset is not None} == kept, "and the others stay as they are"


@pytest.mark.parametrize("experiment", grid.EXPERIMENTS[1:])
def test_an_experiment_that_is_left_out_leaves_nothing_behind(experiment: Any) -> None:
    fewer = Plan(changed("smoke", **without(experiment, params("smoke").study)))
    own = [name for name, one in known().items() if one.experiment == experiment]
    assert experiment not in fewer.experiments()
    assert not [one for one in fewer.steps if one.experiment == experiment]
    assert fewer.rules.keys().isdisjoint(own)
    aliases = [known()[name].alias for name in own if known()[name].alias]
    assert sorted(fewer.left_out()) == sorted([experiment, *own, *aliases])
    whole = {one.log: one for one in plan("smoke").steps}
    assert all(whole[one.log] == one for one in fewer.steps), "and what stays is as it was"
    needed = {one.log for one in Plan(params("smoke"), [e for e in grid.EXPERIMENTS if e != experiment]).steps}
    assert {one.log for one in fewer.steps} == needed


@pytest.mark.parametrize("scale", SCALES)
def test_the_projects_own_configuration_leaves_nothing_out(scale: Any) -> None:
    assert plan(scale).left_out() == []
    assert plan(scale).experiments() == list(grid.EXPERIMENTS)


def test_what_nothing_can_be_shown_of_is_left_out() -> None:
    grey = Plan(params("smoke").model_copy(update={"datasets": ["mnist"]}))
    assert {
        "attribute_sets",
        "attribute_sets_table",
        "table3",
        "class_counts",
        "attributes_accuracy_table",
        "table7",
    } <= (set(grey.left_out()))
    faces = Plan(params("smoke").model_copy(update={"datasets": ["celeba"]}))
    assert {"class_risk_table", "table6", "tradeoff", "tradeoff_table", "table2"} <= set(faces.left_out())
    assert "attributes_accuracy_table" not in faces.left_out()


@pytest.mark.parametrize("scale", SCALES)
def test_a_stage_has_its_steps_files(scale: Any) -> None:
    whole = plan(scale)
    stages: tuple[Stage, ...] = ("data", "models", "assessments", "summaries", "figures")
    every = [file for one in whole.steps for file in one.outputs]
    assert sorted(file for stage in stages for file in whole.writes(stage)) == sorted(every)
    for stage in ("data", "models", "assessments"):
        parts = [file for dataset in params(scale).datasets for file in whole.writes(stage, dataset=dataset)]
        assert sorted(parts) == sorted(whole.writes(stage))
    figures = [file for name in grid.EXPERIMENTS for file in whole.writes("figures", experiment=name)]
    assert sorted(figures) == sorted(whole.writes("figures"))


def test_a_part_of_the_experiments_is_a_part_of_the_plan() -> None:
    whole = {one.log: one for one in plan("smoke").steps}
    for experiment in grid.EXPERIMENTS:
        part = Plan(params("smoke"), [experiment])
        assert {one.experiment for one in part.steps} == {None, experiment}
        assert all(whole[one.log] == one for one in part.steps)
    assert {one.log for experiment in grid.EXPERIMENTS for one in Plan(params("smoke"), [experiment]).steps} == (
        whole.keys()
    )


def test_training_curves_are_of_target_models_and_of_the_originals_attacks() -> None:
    (step,) = (one.step for one in plan("demo").rules["training_curves"])
    curves = step.curves  # type: ignore[attr-defined]
    assert {file.name for file in curves} == {"target.csv", "posthoc-logits.csv", "posthoc-softmax.csv"}
    assert {file.parent.parent.name for file in curves if file.name != "target.csv"} == {"honest"}


def test_a_second_attack_model_is_planned_with_its_settings() -> None:
    steps: list[Any] = [one.step for one in plan("smoke").rules["train_attack"]]
    others = [step for step in steps if step.attack_model != "mirror" and (step.budget, step.images) == (1, None)]
    own = ("augmented=false", "average=0.0", "batch_images=24")
    assert {(step.attack_model, *step.attack_settings) for step in others} == {
        ("upsampling", "features=16", "standardise=true"),
        ("conditioned", *own, "depth=10", "epochs=1", "learning_rate=0.003", 'rate="one_cycle"', "width=1"),
        (
            *("components", *own[:2], "batch_images=24", "components=16", "epochs=2", "hidden=32", "hidden_layers=2"),
            *("learning_rate=0.003", 'rate="one_cycle"'),
        ),
    }
    assert {step.out.name for step in others} == {
        f"posthoc-logits-{name}.safetensors" for name in ("upsampling", "conditioned", "components")
    }
    assert len(others) == 3 * 3, "on an honest and on two vicious models"
    assessments: list[Any] = [one.step for one in plan("smoke").rules["assess_risk"]]
    read = {step.attack for step in assessments}
    assert {step.out for step in others} <= read


def test_an_attackers_means_are_settings_of_its_training() -> None:
    steps: list[Any] = [one.step for one in plan("demo").rules["train_attack"]]
    kernel = [one for one in steps if "kernel_ridge" in one.out.name and one.target.parts[3:5] == ("mnist", "honest")]
    found = {one.out.stem: (one.budget, one.most_images, one.images, one.images_of) for one in kernel}
    other = paths.prepared("demo", "fashion_mnist")
    assert found == {
        "posthoc-softmax-kernel_ridge": (1, None, None, None),
        "posthoc-logits-kernel_ridge": (1, None, None, None),
        "posthoc-logits-kernel_ridge-budget2": (2, None, None, None),
        "posthoc-logits-kernel_ridge-images200": (1, 200, None, None),
        "posthoc-logits-kernel_ridge-of_fashion_mnist": (1, None, other, "fashion_mnist"),
    }
    (theirs,) = (one for one in kernel if one.images)
    assert other / "dataset.json" in theirs.inputs()


def test_what_an_attacker_computes_follows_its_means() -> None:
    cost = {}
    for one in plan("pilot").rules["train_attack"]:
        if (one.names["task"], one.names["model"], one.names["seed"]) == ("mnist", "honest", "0"):
            cost[one.step.writes()[0].stem] = one.cost.flops
    name = "posthoc-logits-conditioned"
    assert cost[f"{name}-budget2"] == pytest.approx(2 * cost[name], rel=0.2), "the target model is asked once"
    assert cost[f"{name}-images500"] == pytest.approx(cost[name], rel=0.3), "as many steps"
    ridge = "posthoc-logits-kernel_ridge"
    assert cost[f"{ridge}-images500"] < cost[ridge] < cost[f"{ridge}-budget2"]


def test_one_plan_equals_another_of_the_same_configuration() -> None:
    assert Plan(params("smoke")).steps == plan("smoke").steps


def test_official_data_are_downloaded_unless_they_lie_somewhere() -> None:
    pilot = params("pilot")
    mine = pilot.data.model_copy(update={"root": "my data", "checksums": {"cifar-10-python.tar.gz": f"md5:{'0' * 32}"}})
    fetched: dict[str | None, Any] = {one.dataset: one.step for one in plan("pilot").rules["fetch"]}
    assert all(step.download and step.root == paths.RAW_OFFICIAL and not step.checksum for step in fetched.values())
    fetched = {one.dataset: one.step for one in Plan(pilot.model_copy(update={"data": mine})).rules["fetch"]}
    assert not any(step.download for step in fetched.values())
    assert {step.root for step in fetched.values()} == {Path("my data")}
    given = {dataset: step.checksum for dataset, step in fetched.items() if step.checksum}
    assert given == {"cifar10": [f"cifar-10-python.tar.gz=md5:{'0' * 32}"]}
    stand_ins: list[Any] = [one.step for one in plan("smoke").rules["fetch"]]
    assert {step.checksum == [] for step in stand_ins} == {True}
