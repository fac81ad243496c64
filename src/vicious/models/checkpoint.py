"""Models on disk: weights as safetensors, and a JSON record of everything needed to build the model again.

Nothing is ever unpickled, so a checkpoint from a stranger is data and cannot run code.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from vicious.errors import CheckpointError
from vicious.files import atomic_path, read_json, write_json
from vicious.models.attack import AttackModel, Outputs
from vicious.models.target import TargetModel


@dataclass(frozen=True)
class Architecture:
    """What is needed to build a target or an attack model.

    Attributes:
        kind: "target" (F) or "attack" (G).
        depth, width, channels, outputs: as in the models.
        multilabel: outputs are attributes, not classes.
        reads: what an attack model reads; None for a target model.
    """

    kind: Literal["target", "attack"]
    depth: int
    width: int
    channels: int
    outputs: int
    multilabel: bool
    reads: Outputs | None = None

    def build(self) -> nn.Module:
        """A model with fresh weights; a target's normalisation is to be loaded or set."""
        if self.kind == "attack":
            return AttackModel(self.depth, self.width, self.channels, self.outputs)
        blank = [0.0] * self.channels, [1.0] * self.channels
        return TargetModel(self.depth, self.width, self.channels, self.outputs, *blank)


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def save_model(model: nn.Module, weights: Path, architecture: Architecture, record: dict[str, Any]) -> None:
    """Write ``weights`` (.safetensors) and, beside it, the same name as .json: the architecture and ``record``.

    The record is written first: weights never stand without it.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    content = {"architecture": asdict(architecture), "parameters": count_parameters(model), **record}
    write_json(weights.with_suffix(".json"), content)
    with atomic_path(weights) as temporary:
        save_file(state, temporary)


def load_record(weights: Path) -> dict[str, Any]:
    """The JSON record that stands beside ``weights``.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    path = weights.with_suffix(".json")
    try:
        return read_json(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: it describes {weights.name}; train the model again") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): train the model again") from None


def load_model(weights: Path, kind: Literal["target", "attack"]) -> tuple[Any, Architecture]:
    """Build the model that the record describes and fill it with ``weights``; returned in evaluation mode on the CPU.

    Raises:
        CheckpointError: a file is missing or damaged, it is not a ``kind`` model, or names or shapes differ.
    """
    record = load_record(weights)
    try:
        architecture = Architecture(**record["architecture"])
        model = architecture.build()
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.with_suffix('.json')} does not describe a model ({error})") from None
    if architecture.kind != kind:
        raise CheckpointError(f"{weights} holds a model of kind {architecture.kind}, expected {kind}: check the path")
    try:
        state = load_file(weights)
    except FileNotFoundError:
        raise CheckpointError(f"{weights} is missing: train the model again, or restore it with `dvc pull`") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} is damaged or no safetensors file ({error}): train the model again") from None
    _check_state(weights, model.state_dict(), state)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False), architecture


def _check_state(weights: Path, expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> None:
    names = sorted(expected.keys() ^ found.keys())
    shapes = [name for name in expected if name in found and expected[name].shape != found[name].shape]
    if not names and not shapes:
        return
    name = (names or shapes)[0]
    detail = (
        f"{name} stands in only one of the two"
        if names
        else f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
    )
    raise CheckpointError(
        f"{weights} is of another architecture than {weights.with_suffix('.json').name} says: {detail}; "
        "use the weights and the record of one training, or train the model again"
    )
