"""params.yaml: what is valid, and what a user reads when it is not."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vicious.data.datasets import dataset_names, find_dataset
from vicious.study.config import Params, check_params, json_schema, load_params
from vicious.study.grid import Model
from vicious.system.errors import ConfigError
from vicious.system.yaml12 import typed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def raw() -> Any:
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def changed(raw: Any, path: str, value: Any) -> Any:
    result = copy.deepcopy(raw)
    place = result
    *parents, last = path.split(".")
    for part in parents:
        place = place[part]
    place[last] = value
    return result


def test_the_projects_own_file_is_valid_and_starts_with_the_demo() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.scale == "demo"
    assert len(params.datasets) == 6


def test_every_key_is_commented() -> None:
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    smoke = lines.index("  demo:")
    bare = [line for line in lines[:smoke] if line.strip() and "#" not in line and not line.strip().startswith("- ")]
    assert [line.strip() for line in bare] == ["runtime:", "scales:"]


def test_the_committed_schema_is_generated_from_the_types() -> None:
    committed = (ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8")
    assert committed == json_schema(), "run `make schema`"


def test_paper_scale_is_the_original_model() -> None:
    paper = load_params(ROOT / "params.yaml").scales.paper
    assert (paper.depth, paper.width, paper.batch_images, paper.learning_rate) == (28, 5, 125, 0.001)
    assert len(paper.seeds) >= 3


def test_overrides_apply_to_their_dataset_alone(raw: Any) -> None:
    params = check_params(changed(raw, "scales.demo.overrides", {"mnist": {"epochs": 9}}))
    assert params.cell("mnist").epochs == 9
    assert params.cell("cifar10").epochs == raw["scales"]["demo"]["epochs"]
    assert params.cell("mnist").width == raw["scales"]["demo"]["width"]


def test_overrides_of_a_part_leave_its_other_keys(raw: Any) -> None:
    own = {"mnist": {"mitigations": {"outputs": ["top1"]}, "defense": {"detectors": ["entropy"]}}}
    params = check_params(changed(raw, "scales.demo.overrides", own))
    cell, demo = params.cell("mnist"), params.scales.demo
    assert cell.mitigations == demo.mitigations.model_copy(update={"outputs": ["top1"]})
    assert cell.defense == demo.defense.model_copy(update={"detectors": ["entropy"]})
    assert params.cell("cifar10").mitigations == demo.mitigations


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("scale", "demoo", ["scale:", "did you mean 'demo'"]),
        ("datsets", ["mnist"], ["datsets: unknown key", "did you mean 'datasets'"]),
        ("datasets", ["minst"], ["datasets.0:", "did you mean 'mnist'"]),
        ("datasets", [], ["datasets:"]),
        ("datasets", ["mnist", "mnist"], ["datasets:", "differ"]),
        ("data.root", "", ["data.root:", "at least 1 character"]),
        ("scales.demo.epoch", 3, ["scales.demo.epoch: unknown key", "did you mean 'epochs'"]),
        (
            "scales.demo.defense.evasion",
            {"distance_corelation": [1.0]},
            ["defense.evasion.distance_corelation:", "did you mean 'distance_correlation'", "linear_decodability"],
        ),
        (
            "scales.demo.defense.evasion",
            {"entropy": [1.0]},
            ["evasion.entropy:", "valid: both, distance_correlation, kernel_decodability, linear_decodability"],
        ),
        ("scales.demo.defense.evasion", [1.0], ["defense.evasion:", "dictionary"]),
        ("scales.demo.epochs", 0, ["scales.demo.epochs:", "greater than or equal to 1"]),
        ("scales.demo.epochs", "3", ["scales.demo.epochs:", "integer", "without quotes"]),
        ("scales.demo.epochs", True, ["scales.demo.epochs:", "integer"]),
        ("scales.demo.learning_rate", "1e-3", ["scales.demo.learning_rate:", "without quotes"]),
        ("scales.demo.learning_rate", float("nan"), ["scales.demo.learning_rate:"]),
        (
            "scales.demo.attack_models.models",
            {"conditioned": {"epoch": 3}},
            ["attack model conditioned, setting epoch:", "did you mean 'epochs'"],
        ),
        ("scales.demo.attack_models.models", {"components": {"average": 1.0}}, ["setting average:", "less than 1"]),
        ("scales.demo.rate", "one_cyle", ["scales.demo.rate:", "did you mean 'one_cycle'"]),
        ("scales.demo.augmented", 1, ["scales.demo.augmented:", "boolean"]),
        ("scales.demo.average", 1.0, ["scales.demo.average:", "less than 1"]),
        ("scales.demo.average", -0.1, ["scales.demo.average:", "greater than or equal to 0"]),
        ("scales.demo.depth", 11, ["scales.demo.depth:", "6 n + 4"]),
        ("scales.demo.seeds", [0, 0], ["scales.demo.seeds:", "differ"]),
        ("scales.demo.beta_r", [-1.0], ["scales.demo.beta_r.0:"]),
        ("scales.demo.test", 60, ["scales.demo:", "100", "test is 60"]),
        ("scales.demo.train", None, ["scales.demo:", "synthetic"]),
        ("scales.demo.overrides", {"mnist": {"epochs": None}}, ["scales.demo.overrides.mnist.epochs", "integer"]),
        ("scales.demo.overrides", {"mnist": {"train": None}}, ["scales.demo:", "overrides.mnist"]),
        ("scales.demo.overrides", {"mnist": {"test": 60}}, ["test is 60 (overrides.mnist)"]),
        ("scales.paper.overrides", {"mnst": {"width": 1}}, ["scales.paper.overrides.mnst", "did you mean 'mnist'"]),
        ("scales.paper.overrides", {"mnist": {"widht": 1}}, ["overrides.mnist.widht", "did you mean 'width'"]),
        ("data.checksums", {"cifar-10-python.tar.gz": "abc"}, ["data.checksums.cifar-10-python.tar.gz"]),
        ("data.checksums", {"cifar-10.tar.gz": "md5:" + "0" * 32}, ["did you mean 'cifar-10-python.tar.gz'"]),
        ("data.checksums", {"cifar-10-python.tar.gz": "0" * 32}, ["must be md5:", f"did you mean 'md5:{'0' * 32}'"]),
        ("data.checksums", {"cifar-10-python.tar.gz": "A" * 64}, [f"did you mean 'sha256:{'a' * 64}'"]),
        ("risk.cutoff", -1.0, ["risk.cutoff:"]),
        ("risk.cutoff", 0.01, ["risk.cutoff 0.01 keeps no eigenvalue of mnist: it must be below 1/1024"]),
        ("risk.cutoff", 5e-4, ["risk.cutoff 0.0005 keeps no eigenvalue of cifar10: it must be below 1/3072"]),
        ("scales.demo.autoencoder", ["softmax"], ["scales.demo:", "autoencoder asks for softmax"]),
        ("scales.smoke.mitigations.trained_for", ["label"], ["mitigations.trained_for.0", "no gradient"]),
        (
            "scales.smoke.mitigations.trained_for",
            ["top3"],
            ["scales.smoke:", "mitigations.trained_for asks for top3, which outputs of MNIST"],
        ),
        ("scales.smoke.mitigations.trained_for", ["logits"], ["trained_for", "the vicious model itself"]),
        (
            "scales.demo.mitigations.outputs",
            ["top99"],
            ["scales.demo:", "top99 of MNIST, which has 10 outputs"],
        ),
        ("scales.demo.mitigations.outputs", ["top10"], ["top10 of MNIST"]),
        (
            "scales.pilot.overrides",
            {"mnist": {"mitigations": {"outputs": ["logits"]}}},
            ["trained_for asks for clip6, which outputs of MNIST"],
        ),
        (
            "scales.demo.overrides",
            {"mnist": {"mitigations": {"outputs": ["top30"]}}},
            ["scales.demo:", "top30 of MNIST"],
        ),
        (
            "scales.demo.overrides",
            {"mnist": {"defense": {"detector": ["entropy"]}}},
            ["overrides.mnist.defense.detector: unknown key", "did you mean 'detectors'"],
        ),
        ("scales.demo.defense.variant_seeds", [], ["scales.demo.defense:", "recipes, hidden, evasion"]),
        ("risk", [1], ["risk:"]),
    ],
)
def test_a_mistake_is_named_with_its_path_and_the_nearest_valid_name(
    raw: Any, path: str, value: Any, words: Any
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_params(changed(raw, path, value))
    for word in words:
        assert word in str(caught.value)


def test_the_folder_of_real_data_may_begin_with_home_or_a_variable(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("STORE", "/mnt/some data")
    for given, found in (
        ("~", "/home/someone"),
        ("~/data", "/home/someone/data"),
        ("$HOME/data", "/home/someone/data"),
        ("${STORE}/x", "/mnt/some data/x"),
        ("../a~b", "../a~b"),
    ):
        assert check_params(changed(raw, "data.root", given)).data.root == found


@pytest.mark.parametrize(
    "root", ["{dataset}", "a/{x}", "}", "${ABSENT_VARIABLE}/x", "$ABSENT_VARIABLE", "~nobody_here/x"]
)
def test_a_folder_of_real_data_that_cannot_be_meant_is_refused(raw: Any, root: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.root: .* cannot be used"):
        check_params(changed(raw, "data.root", root))


def test_all_mistakes_are_told_at_once(raw: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check_params(changed(changed(raw, "scale", "x"), "risk.cutoff", -1))
    assert "scale:" in str(caught.value)
    assert "risk.cutoff:" in str(caught.value)


def test_a_missing_key_is_named(raw: Any) -> None:
    del raw["risk"]["cutoff"]
    with pytest.raises(ConfigError, match=r"risk\.cutoff: this key is missing"):
        check_params(raw)


@pytest.mark.parametrize(("text", "words"), [("a: [", "not valid YAML"), ("- a", "keys and values")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_params(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="project's root"):
        load_params(tmp_path / "params.yaml")


def test_every_field_has_a_description() -> None:
    schema = Params.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            assert "description" in field or "$ref" in field, name


def test_numbers_of_the_command_line_get_their_types_and_words_stay() -> None:
    text = {"scales": {"demo": {"epochs": "2", "seeds": ["0", "1"], "learning_rate": "0.01", "train": "null"}}}
    found = typed({"scale": "pilot", **text})
    assert found == {
        "scale": "pilot",
        "scales": {"demo": {"epochs": 2, "seeds": [0, 1], "learning_rate": 0.01, "train": None}},
    }


@pytest.mark.parametrize("name", dataset_names())
def test_the_demos_covariance_is_regular(name: Any) -> None:
    cell, spec = load_params(ROOT / "params.yaml").scales.demo.cell(name), find_dataset(name)
    assert cell.train is not None
    assert cell.validation is not None
    together = cell.train + cell.validation
    assert together > spec.channels * 32 * 32
    if not spec.multilabel:  # CelebA brings its own split
        official = spec.sizes[1] / (spec.sizes[0] + spec.sizes[1])
        assert cell.validation == round(together * official), "what the official share leaves"


def test_nearby_weights_have_paths_of_their_own() -> None:
    def name(beta_r: Any) -> str:
        return str(Model("vicious", "logits", 1.0, beta_r))

    assert name(1.0) == "vicious-logits-beta1"
    assert name(0.3) == "vicious-logits-beta0.3"
    assert name(1.0000001) != name(1.0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("images_of", {"mnist": ["cifar10"]}, "CIFAR-10 cannot stand in for MNIST: choose another .* of 1 channel$"),
        ("images_of", {"mnist": ["mnist"]}, "MNIST cannot stand in for MNIST"),
        ("images_of", {"mnist": ["fashion_mnits"]}, "did you mean 'fashion_mnist'"),
        ("models", ["upsampling"], "attackers.models asks for upsampling, which attack_models does not list"),
        ("models", ["mirrors"], "did you mean 'mirror'"),
        ("budgets", [20], "attackers.budgets asks for 20 times the budget of kernel_ridge: .*22000"),
        ("budgets", [1], "greater than or equal to 2"),
        ("images", [0], "greater than or equal to 10"),
    ],
)
def test_impossible_attackers_are_refused(raw: Any, path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_params(changed(raw, f"scales.demo.attackers.{path}", value))
    assert re.search(message, str(refused.value), re.MULTILINE), refused.value
