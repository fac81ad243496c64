"""Architecture of F and G, and what is refused as a checkpoint."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from models_by_hand import F
from safetensors.torch import load_file

from vicious.mitigations import transmit
from vicious.models import checkpoint
from vicious.models.architecture import Architecture, model
from vicious.models.checkpoint import count_parameters, load_model, save_model
from vicious.models.depth import blocks_per_group
from vicious.system.errors import CheckpointError


def target_model(depth: int, width: int, channels: int, outputs: Any) -> torch.nn.Module:
    return model("target", "wideresnet", {"depth": depth, "width": width}).build(channels, outputs)


def attack_model(depth: int, width: int, channels: int, outputs: Any) -> torch.nn.Module:
    return model("attack", "mirror", {"depth": depth, "width": width}).build(channels, outputs)


@pytest.mark.parametrize(
    ("width", "channels", "outputs", "target", "attack"),
    [
        (1, 1, 10, 369_210, 144_632),
        (1, 3, 10, 369_498, 144_776),
        (5, 1, 10, 9_132_346, 3_245_296),
        (5, 3, 10, 9_132_634, 3_245_584),
        (5, 3, 100, 9_161_524, 3_706_384),
        (5, 3, 200, 9_193_624, 4_218_384),
        (5, 3, 40, 9_142_264, 3_399_184),
        (5, 3, 1, 9_129_745, 3_199_504),
    ],
)
def test_parameter_counts_are_the_originals(width: int, channels: int, outputs: int, target: int, attack: int) -> None:
    assert count_parameters(target_model(28, width, channels, outputs)) == target
    assert count_parameters(attack_model(28, width, channels, outputs)) == attack


@pytest.mark.parametrize(("depth", "width", "channels", "outputs"), [(10, 1, 1, 10), (16, 2, 3, 1), (10, 1, 3, 200)])
def test_shapes_and_ranges(depth: int, width: int, channels: int, outputs: int) -> None:
    target = target_model(depth, width, channels, outputs)
    attack = attack_model(depth, width, channels, outputs)
    logits = target(torch.rand(3, channels, 32, 32))
    images = attack(logits)
    assert logits.shape == (3, outputs)
    assert images.shape == (3, channels, 32, 32)
    assert 0 < images.min() < images.max() < 1


def test_no_convolution_has_a_bias() -> None:
    models = target_model(10, 1, 3, 10), attack_model(10, 1, 3, 10)
    for one in models:
        for module in one.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                assert module.bias is None


def test_strided_convolution_pads_right_and_bottom_only() -> None:
    target: Any = target_model(10, 1, 1, 10)
    block = target.groups[1]
    x = torch.rand(1, 16, 32, 32)
    activated = torch.relu(block.eval().norm1(x))
    expected = torch.nn.functional.conv2d(activated[..., :3, :3], block.conv1.weight)
    padded = torch.nn.functional.pad(activated, (0, 1, 0, 1))
    assert torch.allclose(block.conv1(padded)[..., :1, :1], expected, atol=1e-5)


def test_images_are_normalised_by_a_part_of_the_saved_state() -> None:
    target = target_model(10, 1, 3, 10).eval()
    images = torch.rand(2, 3, 32, 32)
    plain = target(images)
    target.load_state_dict({**target.state_dict(), "mean": torch.full((1, 3, 1, 1), 0.5)})
    assert torch.allclose(target(images + 0.5), plain, atol=1e-4)


@pytest.mark.parametrize("depth", [4, 9, 12, 27])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="6 n"):
        blocks_per_group(depth)


def test_softmax_is_per_class_and_attributes_are_independent() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    assert transmit(logits, "logits") is logits
    assert transmit(logits, "softmax").sum().item() == pytest.approx(1.0)
    assert transmit(logits, "softmax", multilabel=True).tolist()[0] == pytest.approx([0.5, 0.8808], abs=1e-4)


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    architecture = Architecture(F, 1, 10, False)
    weights = tmp_path / "target.safetensors"
    network = architecture.build()
    save_model(network, weights, architecture, {"role": "honest"})
    return weights, network


def test_a_model_survives_the_disk(saved: Any) -> None:
    weights, network = saved
    again, architecture = load_model(weights, "target")
    x = torch.rand(2, 1, 32, 32)
    assert torch.equal(again(x), network.eval()(x))
    assert not again.training
    assert architecture.outputs == 10


def edit_record(weights: Any, **changes: Any) -> None:
    """As somebody does who knows the format: weights and record still name each other."""
    record = json.loads(weights.with_suffix(".json").read_text())
    record["architecture"] |= changes
    checkpoint._write_pair(weights, load_file(weights), record)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width": 2}, "another architecture"), ({"depth": 16}, "another architecture"), ({"outputs": 7}, r"linear\.")],
)
def test_a_checkpoint_of_another_architecture_is_refused(saved: Any, changes: Any, words: str) -> None:
    edit_record(saved[0], **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(saved[0], "target")
    assert "target.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "wideresnets"}, r"no wideresnets\.py; did you mean 'wideresnet'"),
        ({"depth": 12}, r"depth must be 6 n \+ 4"),
        ({"width": "1"}, "setting width: .*integer"),
        ({"heads": 2}, "setting heads"),
        ({"kind": "detector"}, "does not describe a model"),
    ],
)
def test_a_record_of_an_unknown_model_or_setting_is_refused(saved: Any, changes: Any, words: str) -> None:
    edit_record(saved[0], **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(saved[0], "target")
    assert "target.json" in str(caught.value)


def test_the_wrong_kind_a_missing_and_a_damaged_file_are_named(saved: Any) -> None:
    weights = saved[0]
    with pytest.raises(CheckpointError, match="kind target, expected attack"):
        load_model(weights, "attack")
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(weights, "target")
    weights.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load_model(weights, "target")
    weights.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match=r"target\.json is damaged"):
        load_model(weights, "target")
    weights.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"target\.json is missing"):
        load_model(weights, "target")


def test_a_pickle_is_never_executed(saved: Any, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "trapped"), "w"))

    saved[0].write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        load_model(saved[0], "target")
    assert not (tmp_path / "trapped").exists()
