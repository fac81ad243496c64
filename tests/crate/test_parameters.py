"""The values of params.yaml that a crate has."""

from vicious.crate.parameters import parameters
from vicious.study.config import Params, load_params


def test_they_are_those_of_the_scale_alone(smoke: Params) -> None:
    found = {one.name: one for one in parameters(smoke)}
    assert {name.split(".")[1] for name in found if name.startswith("scales.")} == {"smoke"}
    assert (found["scale"].value, found["datasets"].value) == ("smoke", '["mnist"]')
    assert (found["scales.smoke.epochs"].value, found["scales.smoke.epochs"].kind) == (1, "Integer")
    assert (found["scales.smoke.learning_rate"].value, found["scales.smoke.learning_rate"].kind) == (0.001, "Float")
    assert (found["scales.smoke.augmented"].value, found["scales.smoke.augmented"].kind) == (True, "Boolean")
    assert (found["scales.smoke.epoch_images"].value, found["scales.smoke.epoch_images"].kind) == ("null", "Text")
    assert found["scales.smoke.defense.user_images"].value == "[16]"
    assert found["scales.smoke.epochs"].description


def test_where_files_lie_is_no_parameter(smoke: Params) -> None:
    assert not [one for one in parameters(smoke) if one.name == "data.root"]


def test_of_datasets_that_are_not_asked_for_no_value_is_shown() -> None:
    params = load_params(changes=["scale=demo", "datasets=[mnist,cifar10]"])
    names = [one.name for one in parameters(params)]
    assert "scales.demo.overrides.mnist.defense.detectors" in names
    assert "scales.demo.overrides.cifar10.epochs" in names
    assert not [name for name in names if name.startswith("scales.demo.overrides.celeba")]
