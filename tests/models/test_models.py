"""Architecture of F and G, and what is refused as a checkpoint."""

import json
import pickle

import pytest
import torch

from vicious.models.attack import AttackModel
from vicious.models.checkpoint import Architecture, count_parameters, load_model, save_model
from vicious.models.outputs import transmit
from vicious.models.target import TargetModel, blocks_per_group
from vicious.system.errors import CheckpointError


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
def test_parameter_counts_are_the_originals(width, channels, outputs, target, attack):
    blank = [0.0] * channels, [1.0] * channels
    assert count_parameters(TargetModel(28, width, channels, outputs, *blank)) == target
    assert count_parameters(AttackModel(28, width, channels, outputs)) == attack


@pytest.mark.parametrize(("depth", "width", "channels", "outputs"), [(10, 1, 1, 10), (16, 2, 3, 1), (10, 1, 3, 200)])
def test_shapes_and_ranges(depth, width, channels, outputs):
    target = TargetModel(depth, width, channels, outputs, [0.5] * channels, [0.2] * channels)
    attack = AttackModel(depth, width, channels, outputs)
    logits = target(torch.rand(3, channels, 32, 32))
    images = attack(logits)
    assert logits.shape == (3, outputs)
    assert images.shape == (3, channels, 32, 32)
    assert 0 < images.min() < images.max() < 1


def test_no_convolution_has_a_bias():
    models = TargetModel(10, 1, 3, 10, [0.0] * 3, [1.0] * 3), AttackModel(10, 1, 3, 10)
    for model in models:
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                assert module.bias is None


def test_strided_convolution_pads_right_and_bottom_only():
    block = TargetModel(10, 1, 1, 10, [0.0], [1.0]).groups[1]
    x = torch.rand(1, 16, 32, 32)
    activated = torch.relu(block.eval().norm1(x))
    expected = torch.nn.functional.conv2d(activated[..., :3, :3], block.conv1.weight)
    padded = torch.nn.functional.pad(activated, (0, 1, 0, 1))
    assert torch.allclose(block.conv1(padded)[..., :1, :1], expected, atol=1e-5)


def test_normalisation_is_part_of_the_saved_state():
    state = TargetModel(10, 1, 3, 10, [0.1, 0.2, 0.3], [1.0] * 3).state_dict()
    assert state["mean"].flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("depth", [4, 9, 12, 27])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match="6 n"):
        blocks_per_group(depth)


def test_softmax_is_per_class_and_attributes_are_independent():
    logits = torch.tensor([[0.0, 2.0]])
    assert transmit(logits, "logits") is logits
    assert transmit(logits, "softmax").sum().item() == pytest.approx(1.0)
    assert transmit(logits, "softmax", multilabel=True).tolist()[0] == pytest.approx([0.5, 0.8808], abs=1e-4)


@pytest.fixture
def saved(tmp_path):
    architecture = Architecture("target", 10, 1, 1, 10, False)
    weights = tmp_path / "target.safetensors"
    model = architecture.build()
    save_model(model, weights, architecture, {"role": "honest"})
    return weights, model


def test_a_model_survives_the_disk(saved):
    weights, model = saved
    again, architecture = load_model(weights, "target")
    x = torch.rand(2, 1, 32, 32)
    assert torch.equal(again(x), model.eval()(x))
    assert not again.training
    assert architecture.outputs == 10


def edit_record(weights, **changes):
    record = json.loads(weights.with_suffix(".json").read_text())
    record["architecture"] |= changes
    weights.with_suffix(".json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width": 2}, "another architecture"), ({"depth": 16}, "another architecture"), ({"outputs": 7}, r"linear\.")],
)
def test_a_checkpoint_of_another_architecture_is_refused(saved, changes, words):
    edit_record(saved[0], **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(saved[0], "target")
    assert "target.safetensors" in str(caught.value)


def test_the_wrong_kind_a_missing_and_a_damaged_file_are_named(saved):
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


def test_a_pickle_is_never_executed(saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trapped"), "w"))

    saved[0].write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        load_model(saved[0], "target")
    assert not (tmp_path / "trapped").exists()
