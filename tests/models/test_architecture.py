"""Models by name: closed-form sizes against PyTorch's own counts, records, and a model that comes from outside."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from models_by_hand import F, G
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vicious.models import decoders
from vicious.models.architecture import PACKAGES, Architecture, Kind, Model, model, parse_model
from vicious.models.checkpoint import count_parameters, load_model, save_model
from vicious.system.errors import ConfigError
from vicious.system.registry import find, names

KEPT = nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d | nn.Upsample
SIZED = [{"depth": depth, "width": width} for depth, width in product((10, 16, 28), (1, 2, 5))]
EXAMPLES: dict[tuple[Kind, str], list[dict[str, Any]]] = {
    ("target", "wideresnet"): SIZED,
    ("attack", "mirror"): SIZED,
    ("attack", "components"): [{"hidden": 8}, {"components": 3072, "hidden_layers": 0}, {"hidden_layers": 3}],
    ("attack", "conditioned"): SIZED[:4],
    ("attack", "kernel_ridge"): [{"landmarks": 7}, {"landmarks": 50, "kernel_components": 20}],
    ("attack", "linear_ridge"): [{}],
    ("attack", "upsampling"): [{"features": 4}, {"features": 64}, {"standardise": False}],
}
DEFAULTS: dict[tuple[Kind, str], list[dict[str, Any]]] = {
    (kind, name): [{}] for kind, package in PACKAGES.items() for name in names(package)
}
EVERY = DEFAULTS | EXAMPLES
"""Those that have no examples by their default settings."""
MODELS = [model(*key, settings) for key, examples in EVERY.items() for settings in examples]


def counted(one: Any, channels: int, length: Any) -> Any:
    """Parameters, FLOPs and bytes put out, of a forward pass without memory."""
    kept = []
    with torch.device("meta"):
        network = one.build(channels, length).eval()
        shape = (channels, 32, 32) if one.kind == "target" else (length,)
        image = torch.empty(1, *shape)
    for part in network.modules():
        if isinstance(part, KEPT):
            part.register_forward_hook(lambda _part, _inputs, output: kept.append(4 * output.numel()))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return count_parameters(network), counter.get_total_flops(), sum(kept)


@pytest.mark.parametrize("one", MODELS, ids=str)
def test_sizes_are_those_that_pytorch_counts(one: Any) -> None:
    every = product((1, 3), (1, 10, 40, 100, 200))
    for channels, length in every if one in (F, G, MODELS[-1]) else [(1, 10), (3, 200)]:
        size = one.size(channels, length)
        assert (size.parameters, size.flops, size.activations) == counted(one, channels, length), (channels, length)


def test_flops_of_a_small_target_model_agree_with_a_count_by_hand() -> None:
    def conv(side: Any, inside: Any, outside: Any, kernel: Any) -> Any:
        return 2 * side * side * inside * outside * kernel**2

    expected = conv(32, 3, 16, 3)
    expected += 2 * conv(32, 16, 16, 3)
    for side, inside, outside in ((16, 16, 32), (8, 32, 64)):
        expected += conv(side, inside, outside, 3) + conv(side, outside, outside, 3) + conv(side, inside, outside, 1)
    expected += 2 * 64 * 10
    assert F.size(3, 10).flops == expected


def test_every_example_is_of_a_model_and_no_setting_has_the_name_of_a_records_key() -> None:
    assert set(EXAMPLES) <= set(DEFAULTS)
    taken = {"kind", "model", "channels", "outputs", "multilabel", "reads"}
    for kind, name in EVERY:
        fields = find(PACKAGES[kind], name).Settings.model_fields
        assert all(field.description for field in fields.values())
        assert not taken & fields.keys()


def test_the_records_of_the_studys_pair_are_as_ever() -> None:
    beside = {"depth": 10, "width": 1, "channels": 3, "outputs": 7, "multilabel": True}
    assert Architecture(F, 3, 7, True).record() == {"kind": "target", **beside, "reads": None}
    assert Architecture(G, 3, 7, True, "top3").record() == {"kind": "attack", **beside, "reads": "top3"}


@pytest.mark.parametrize("one", [F, G, MODELS[-1]], ids=str)
def test_a_record_describes_the_architecture(one: Any) -> None:
    architecture = Architecture(one, 3, 7, True, "softmax" if one.kind == "attack" else None)
    assert Architecture.read(architecture.record()) == architecture


@pytest.mark.parametrize("settings", [{"features": 8}, {"features": 8, "standardise": False}])
def test_an_upsampling_decoder_makes_images_and_survives_the_disk(tmp_path: Path, settings: Any) -> None:
    architecture = Architecture(model("attack", "upsampling", settings), 3, 7, False, "top3")
    network = architecture.build()
    read = 100 * torch.randn(5, 14)
    images = network(read)
    assert images.shape == (5, 3, 32, 32)
    assert 0 <= images.min() < images.max() <= 1
    save_model(network, tmp_path / "attack.safetensors", architecture, {})
    again, found = load_model(tmp_path / "attack.safetensors", "attack")
    assert found == architecture
    assert torch.equal(again(read), network.eval()(read))


def test_an_upsampling_decoder_does_not_feel_the_scale_of_its_inputs() -> None:
    network = model("attack", "upsampling", {}).build(1, 4)
    read = torch.randn(32, 4)
    torch.testing.assert_close(network(read), network(50 * read + 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("mirrors", {}, "has no mirrors.py; did you mean 'mirror'"),
        ("mirror", {"depth": 10}, "attack model mirror, setting width: Field required"),
        ("mirror", {"depth": 12, "width": 1}, r"setting depth: depth must be 6 n \+ 4: .*found 12"),
        ("mirror", {"depth": 10, "width": 0}, r"setting width: .*greater than or equal to 1 \(found 0\)"),
        ("upsampling", {"feature": 8}, "setting feature: .*did you mean 'features'"),
        ("upsampling", {"features": "8"}, "setting features: .*valid integer"),
    ],
)
def test_unknown_models_and_settings_are_refused(name: str, settings: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        model("attack", name, settings)


def test_settings_as_text_go_before_those_of_the_scale() -> None:
    scale = {"depth": "16", "width": "2"}
    assert parse_model("attack", "mirror", {"width": "1"}, scale) == model(
        "attack", "mirror", {"depth": 16, "width": 1}
    )
    assert parse_model("attack", "upsampling", {"standardise": "false"}, scale) == MODELS[-1]
    with pytest.raises(ConfigError, match="setting features"):
        parse_model("attack", "upsampling", {"features": "many"}, scale)


def test_names_settings_and_sizes_need_no_pytorch() -> None:
    script = (
        "import sys; from vicious.models.architecture import Kind, model;"
        "model('attack', 'upsampling', {}).size(3, 10);"
        "model('target', 'wideresnet', {'depth': 10, 'width': 1}).size(3, 10);"
        "sys.exit(bool({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


OUTSIDE = """
from vicious.models.architecture import Kind, ModelSettings
from vicious.models.size import linear


class Settings(ModelSettings):
    hidden: int = 8


def build(settings, channels, length):
    from torch import nn

    last = nn.Linear(settings.hidden, channels * 1024)
    return nn.Sequential(nn.Linear(length, settings.hidden), last, nn.Sigmoid(), nn.Unflatten(1, (channels, 32, 32)))


def layers(settings, channels, length):
    yield linear(length, settings.hidden)
    yield linear(settings.hidden, channels * 1024)
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """An attack model that is registered by one file alone."""
    (tmp_path / "perceptron.py").write_text(OUTSIDE)
    monkeypatch.setattr(decoders, "__path__", [*decoders.__path__, str(tmp_path)])
    names.cache_clear()
    yield model("attack", "perceptron", {"hidden": 4})
    names.cache_clear()
    sys.modules.pop("vicious.models.decoders.perceptron")


def test_an_attack_model_is_added_by_one_file(outside: Any, tmp_path: Path) -> None:
    size = outside.size(3, 10)
    assert (size.parameters, size.flops, size.activations) == counted(outside, 3, 10)
    architecture = Architecture(outside, 3, 10, False, "logits")
    save_model(architecture.build(), tmp_path / "attack.safetensors", architecture, {})
    assert load_model(tmp_path / "attack.safetensors", "attack")[1] == architecture
