"""Architecture of F and G, and what is refused as a checkpoint."""

import hashlib
import json
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import TIMES, mutants
from models_by_hand import F
from safetensors.torch import load_file

from vicious.mitigations import transmit
from vicious.models import checkpoint
from vicious.models.architecture import Architecture, model
from vicious.models.checkpoint import count_parameters, load_model, load_record, save_model
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


def refusal(weights: Any, words: str, **changes: Any) -> str:
    """The message, which matches ``words``, that a model with such a description is refused with."""
    edit_record(weights, **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(weights, "target")
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"depth": 1_000_000}, "less than or equal to 40"),
        ({"depth": 10**400}, r"target\.json is damaged|depth"),
        ({"width": 10**9}, "less than or equal to 64"),
        ({"width": -1}, "greater than or equal to 1"),
        ({"width": 64, "depth": 40}, "fewer bytes than"),
        ({"outputs": 10**9}, "outputs: should be less than or equal to 100000, found 1000000000"),
        ({"outputs": 100_000}, "fewer bytes than"),
        ({"channels": 2}, "channels: should be 1 or 3, found 2"),
        ({"multilabel": 1}, "multilabel: should be a valid boolean"),
        ({"reads": "logits"}, "a model of kind target cannot read logits"),
        ({"kind": []}, "does not describe a model"),
        ({"model": {}}, "does not describe a model"),
    ],
)
def test_a_record_out_of_range_builds_nothing(saved: Any, changes: Any, words: str) -> None:
    assert "target." in refusal(saved[0], words, **changes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000, "nests deeper than 30"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nests deeper than 30"),
        (b'{"architecture": {}, "architecture": {}}', "the key 'architecture' stands there twice"),
        (b'{"architecture": {"x": NaN}}', "NaN is no finite number"),
        (b'{"architecture": {"x": 1e999}}', "1e999 is no finite number"),
        (b'{"architecture": "\\ud800"}', "surrogates not allowed"),
        (b'{"architecture": []}', r"architecture: should be an object, found \[\]"),
        (b"[]", "the whole: should be an object, found"),
        (b"\xff", "can't decode byte"),
        (b" " * (16 * 1024 * 1024 + 1), "larger than 16,777,216 bytes"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(saved: Any, text: bytes, words: str) -> None:
    saved[0].with_suffix(".json").write_bytes(text)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(saved[0], "target")
    assert "target.json is damaged" in str(caught.value)
    assert len(str(caught.value)) < 600


RECORD = {
    **{"role": "honest", "dataset": "mnist", "task": "mnist", "source": "official", "data": "a", "outputs": None},
    **{"n": {"train": 1}, "beta_c": 1.0, "beta_r": 0.0, "as_many_as": None, "a hash": "b"},
    "schedule": {"epochs": 1, "batch_images": 2, "learning_rate": 0.1, "seed": 0, "epoch_images": None},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule": None}, "schedule: should be an object"),
        ({"schedule": {**RECORD["schedule"], "seed": -1}}, r"schedule\.seed: should be greater than or equal to 0"),  # type: ignore[dict-item]
        ({"role": "x"}, "role: should be 'honest', 'vicious', 'autoencoder' or 'posthoc', found 'x'"),
        ({"beta_r": "1"}, "beta_r: should be a valid number"),
        ({"beta_c": None}, "beta_c is missing"),
        ({"task": 1}, "task: should be a valid string"),
        ({"failure": 1}, "failure: should be a valid string"),
    ],
)
def test_a_record_of_a_training_has_its_keys_and_types(saved: Any, changes: Any, words: str) -> None:
    path = saved[0].with_suffix(".json")
    sound = json.loads(path.read_text()) | RECORD
    path.write_text(json.dumps(sound))
    assert load_record(saved[0]) == sound
    path.write_text(json.dumps(sound | changes))
    with pytest.raises(CheckpointError, match=words):
        load_record(saved[0])
    path.write_text(json.dumps({key: value for key, value in sound.items() if key not in changes}))
    if "failure" not in changes:
        with pytest.raises(CheckpointError, match=f"{min(changes)} is missing"):
            load_record(saved[0])


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int8, torch.bool, torch.float64, torch.float16])
def test_weights_of_another_type_are_refused(saved: Any, dtype: torch.dtype) -> None:
    weights, network = saved
    state = network.state_dict()
    record = json.loads(weights.with_suffix(".json").read_text())
    checkpoint._write_pair(weights, state | {"linear.weight": state["linear.weight"].to(dtype)}, record)
    with pytest.raises(CheckpointError, match=r"another architecture|fewer bytes"):
        load_model(weights, "target")
    checkpoint._write_pair(weights, {name: one.to(dtype) for name, one in state.items()}, record)
    with pytest.raises(CheckpointError, match=r"another architecture|fewer bytes"):
        load_model(weights, "target")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(saved: Any, value: float) -> None:
    weights, network = saved
    state = network.state_dict()
    state["linear.bias"][3] = value
    checkpoint._write_pair(weights, state, json.loads(weights.with_suffix(".json").read_text()))
    with pytest.raises(CheckpointError, match=r"linear\.bias has values that are not finite"):
        load_model(weights, "target")


@pytest.mark.fuzz
def test_mutants_of_a_checkpoint_are_read_or_refused(saved: Any) -> None:
    weights, _ = saved
    path = weights.with_suffix(".json")
    record = json.dumps(json.loads(path.read_text()) | RECORD).encode()
    path.write_bytes(record)
    sound = weights.read_bytes()
    length = 8 + int.from_bytes(sound[:8], "little")
    for mutant in mutants(record, 400):
        path.write_bytes(mutant)
        for read in (load_record, lambda file: load_model(file, "target")):
            with suppress(CheckpointError):
                read(weights)
    path.write_bytes(record)
    for header in mutants(sound[:length], 200):
        weights.write_bytes(header + sound[length:])
        with suppress(CheckpointError):
            load_model(weights, "target")
    for mutant in mutants(sound, 20):
        weights.write_bytes(mutant)
        with suppress(CheckpointError):
            load_model(weights, "target")


@pytest.mark.fuzz
def test_mutants_of_a_checkpoint_whose_hashes_are_put_right_are_read_or_refused(saved: Any) -> None:
    weights, network = saved
    path = weights.with_suffix(".json")
    record = json.loads(path.read_text()) | RECORD
    reached = 0

    def tried() -> None:
        nonlocal reached
        try:
            load_model(weights, "target")
        except CheckpointError as error:
            reached += "not of one training" not in str(error)
        else:
            reached += 1

    checkpoint._write_pair(weights, network.state_dict(), record)
    sound = weights.read_bytes()
    length = 8 + int.from_bytes(sound[:8], "little")
    for part, number in ((sound[:length], 200), (sound[length:], 50)):
        for mutant in mutants(part, number, seed=1):
            data = mutant + sound[length:] if len(part) == length else sound[:length] + mutant
            weights.write_bytes(data)
            path.write_text(json.dumps(record | {"weights": hashlib.sha256(data).hexdigest()}))
            tried()
    assert reached > 25 * TIMES
    reached = 0
    for mutant in mutants(json.dumps(record).encode(), 200, seed=1):
        with suppress(ValueError, RecursionError):
            told = json.loads(mutant)
            if isinstance(told, dict):
                checkpoint._write_pair(weights, network.state_dict(), told)
                tried()
    assert reached > 10 * TIMES


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width": 2}, "another architecture"), ({"depth": 16}, "another architecture"), ({"outputs": 7}, r"linear\.")],
)
def test_a_checkpoint_of_another_architecture_is_refused(saved: Any, changes: Any, words: str) -> None:
    assert "target.safetensors" in refusal(saved[0], words, **changes)


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
    assert "target.json" in refusal(saved[0], words, **changes)


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
