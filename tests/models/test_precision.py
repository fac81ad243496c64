"""Training in bfloat16: what is rounded, what is not, and what a record says of it."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from models_by_hand import F, G
from safetensors.torch import load_file
from torch import nn

from vicious.data.prepared import PreparedDataset
from vicious.models import precision
from vicious.models.architecture import Architecture, model
from vicious.models.checkpoint import load_record
from vicious.models.precision import Float32Linear, Float32Sigmoid, forward, is_slow
from vicious.models.schedule import Schedule
from vicious.training import jobs, loop

CPU = torch.device("cpu")
SCHEDULE = Schedule(epochs=2, batch_images=16, learning_rate=0.002, seed=0, precision="bfloat16")
UPSAMPLING = model("attack", "upsampling", {"features": 16})


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dtypes(network: nn.Module, inputs: torch.Tensor, kinds: Any) -> set[torch.dtype]:
    """Of what the layers of some kinds give while the network computes in bfloat16."""
    found = set()
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output: found.add(output.dtype))
        for layer in network.modules()
        if isinstance(layer, kinds)
    ]
    forward(network, inputs, "bfloat16")
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("attack", [G, UPSAMPLING], ids=["mirror", "upsampling"])
def test_convolutions_round_and_what_is_measured_does_not(attack: Any) -> None:
    target = Architecture(F, 1, 10, False).build()
    decoder = Architecture(attack, 1, 10, False, "logits").build()
    images, logits = torch.rand(4, 1, 32, 32), torch.randn(4, 10)
    convolutions = (nn.Conv2d, nn.ConvTranspose2d)
    for network, inputs in ((target, images), (decoder, logits)):
        assert dtypes(network, inputs, convolutions) == {torch.bfloat16}
        assert dtypes(network, inputs, nn.Linear) == {torch.float32}
        assert forward(network, inputs, "bfloat16").dtype == torch.float32
        assert torch.equal(forward(network.eval(), inputs, "float32"), network(inputs))


def test_layers_in_float32_are_exact_whatever_surrounds_them() -> None:
    linear, x = Float32Linear(7, 5), torch.randn(3, 7)
    plain = nn.Linear(7, 5)
    plain.load_state_dict(linear.state_dict())
    assert torch.equal(forward(linear, x, "bfloat16"), plain(x))
    assert not torch.equal(forward(plain, x, "bfloat16").float(), plain(x))
    assert torch.equal(forward(Float32Sigmoid(), x.bfloat16(), "bfloat16"), x.bfloat16().float().sigmoid())


@pytest.mark.parametrize("kind", ["honest", "joint", "posthoc"])
def test_a_training_in_bfloat16_is_another_one_with_weights_in_float32(
    prepared: PreparedDataset, tmp_path: Path, kind: str
) -> None:
    found = {}
    for name in ("bfloat16", "float32"):
        schedule, target = replace(SCHEDULE, precision=name), tmp_path / name / "target.safetensors"
        attack = target.with_name("attack.safetensors")
        if kind == "joint":
            jobs.train_vicious(prepared, target, attack, F, G, "logits", 1.0, 1.0, schedule, CPU, "")
        else:  # post-hoc attacks are on one target model
            own = replace(schedule, precision="float32") if kind == "posthoc" else schedule
            jobs.train_honest(prepared, target, F, own, CPU, "")
        if kind == "posthoc":
            jobs.train_attack(prepared.folder, target, attack, G, "logits", schedule, CPU, "")
        weights = target if kind == "honest" else attack
        found[name] = load_file(weights)
        assert load_record(weights)["schedule"]["precision"] == name
    for key, value in found["bfloat16"].items():
        assert value.dtype == found["float32"][key].dtype
    changed = [key for key in found["float32"] if not torch.equal(found["bfloat16"][key], found["float32"][key])]
    assert "linear.weight" in changed
    # rounding is small beside what two epochs of training change
    for key in ("linear.weight", "linear.bias"):
        torch.testing.assert_close(found["bfloat16"][key], found["float32"][key], atol=0.02, rtol=0)


def test_models_are_judged_in_float32(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    step = nn.Conv2d.forward

    def spied(self: Any, inputs: Any) -> Any:
        found = step(self, inputs)
        seen.append((self.training, found.dtype))
        return found

    monkeypatch.setattr(nn.Conv2d, "forward", spied)
    jobs.train_honest(prepared, tmp_path / "target.safetensors", F, replace(SCHEDULE, epochs=1), CPU, "")
    assert set(seen) == {(True, torch.bfloat16), (False, torch.float32)}


def test_a_record_without_a_precision_is_of_float32(prepared: PreparedDataset, tmp_path: Path) -> None:
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, replace(SCHEDULE, epochs=1, precision="float32"), CPU, "")
    record = json.loads(target.with_suffix(".json").read_text())
    assert record["schedule"].pop("precision") == "float32"
    target.with_suffix(".json").write_text(json.dumps(record))
    assert "precision" not in load_record(target)["schedule"]


@pytest.mark.parametrize("slow", [True, False])
def test_emulated_bfloat16_is_told(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any, slow: bool
) -> None:
    monkeypatch.setattr(loop, "is_slow", lambda *_: slow)
    with caplog.at_level(logging.WARNING):
        jobs.train_honest(prepared, tmp_path / "target.safetensors", F, replace(SCHEDULE, epochs=1), CPU, "")
    assert ("emulates bfloat16" in caplog.text) == slow


def test_what_is_emulated_is_what_the_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_slow("float32", CPU)
    for flags, slow in (({"avx2"}, True), ({"avx512bw", "avx2"}, True), ({"avx512_bf16"}, False), (set(), False)):
        monkeypatch.setattr(precision, "_flags", lambda flags=flags: frozenset(flags))
        assert is_slow("bfloat16", CPU) == slow
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert is_slow("bfloat16", torch.device("cuda"))
