"""Models on disk: weights as safetensors, and a JSON record of everything needed to build the model again.

Nothing is ever unpickled, so an untrusted checkpoint is data and cannot run code. Weights and record carry each other's
SHA-256, so that a pair of two trainings, or half of one, is noticed: the record under the key ``weights``, the weights
in the metadata of their file.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.data.tasks import parse_task
from vicious.models.architecture import Architecture, Kind
from vicious.system.errors import CheckpointError, ConfigError
from vicious.system.files import digest, read_json, write_bytes, write_json


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def save_model(model: nn.Module, weights: Path, architecture: Architecture, record: dict[str, Any]) -> str:
    """Write ``weights`` (.safetensors) and, beside it, the same name as .json: the architecture and ``record``.

    Returns:
        SHA-256 of the weights' file.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    content = {"architecture": architecture.record(), "parameters": count_parameters(model), **record}
    return _write_pair(weights, state, content)


def save_failure(weights: Path, architecture: Architecture, record: dict[str, Any], reason: str) -> str:
    """Write, in place of a model whose training failed, a record with the reason and weights without a tensor; returns
    as :func:`save_model`."""
    return _write_pair(weights, {}, {"architecture": architecture.record(), **record, "failure": reason})


def _write_pair(weights: Path, state: dict[str, Tensor], record: dict[str, Any]) -> str:
    """Write the record, then the weights: a crash in between leaves two that do not name each other."""
    data = save(state, metadata={"record": _record_digest(record)})
    found = hashlib.sha256(data).hexdigest()
    write_json(weights.with_suffix(".json"), {**record, "weights": found})
    write_bytes(weights, data)
    return found


def _record_digest(record: dict[str, Any]) -> str:
    """SHA-256 of a record without its hash of the weights."""
    content = {key: value for key, value in record.items() if key != "weights"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_pair(weights: Path, record: dict[str, Any]) -> None:
    """Raise a CheckpointError unless ``weights`` and its record are of one training."""
    try:
        with safe_open(weights, framework="pt") as file:
            named = (file.metadata() or {}).get("record")
        found = digest(weights)
    except FileNotFoundError:
        raise CheckpointError(f"{weights} is missing: train the model again, or restore it with `dvc pull`") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} is damaged or no safetensors file ({error}): train the model again") from None
    if (record.get("weights"), named) != (found, _record_digest(record)):
        raise CheckpointError(
            f"{weights} and {weights.with_suffix('.json').name} are not of one training, or were altered: "
            "use both files of one training, or train the model again"
        )


def failure(weights: Path) -> str | None:
    """Why the training of ``weights`` failed, None where it did not.

    Raises:
        CheckpointError: weights or record are missing or damaged, or not of one training.
    """
    record = load_record(weights)
    _check_pair(weights, record)
    reason: str | None = record.get("failure")
    return reason


def check_fits(weights: Path, architecture: Architecture, data: PreparedDataset) -> None:
    """Raise a CheckpointError for a model that was not trained on ``data``, a prepared dataset as its task uses it."""
    found, expected = (architecture.channels, architecture.outputs), (data.info.channels, data.info.classes)
    if found != expected:
        raise CheckpointError(
            f"{weights} takes {found[0]} channels and gives {found[1]} outputs, but {data.info.title} has "
            f"{expected[0]} channels and {expected[1]} outputs: use a model that was trained on it"
        )
    record = load_record(weights)
    if (record.get("data"), record.get("task")) != (data.info.fingerprint, data.task):
        raise CheckpointError(
            f"{weights} was trained on other data than {data.folder} ({data.info.title}): use a model that "
            "was trained on it, or train the model again"
        )


def check_attacks(attack_weights: Path, target_weights: Path) -> None:
    """Raise a CheckpointError for an attack model that was trained on another target model."""
    if load_record(attack_weights).get("target") != digest(target_weights):
        raise CheckpointError(f"{attack_weights} is of another target model than {target_weights}: use its own")


def check_attack(weights: Path, name: str, outputs: str) -> None:
    """Raise a CheckpointError for an attack model of another name, or that reads other outputs, than it is said to."""
    found = _architecture(weights)
    if (found.model.name, found.reads) != (name, outputs):
        raise CheckpointError(
            f"{weights} is a {found.model.name} that reads {found.reads}, expected a {name} that reads {outputs}: "
            "check the path and the options"
        )


def load_task(folder: Path, weights: Path) -> PreparedDataset:
    """The prepared dataset in ``folder`` as the task of the model ``weights`` uses it.

    Raises:
        CheckpointError: the model's record is missing, damaged, or of another dataset.
    """
    record = load_record(weights)
    data = load_prepared(folder)
    try:
        task, as_many_as = parse_task(record["task"]), record["as_many_as"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.with_suffix('.json')} does not name the model's task ({error})") from None
    if task.dataset != data.info.name:
        raise CheckpointError(
            f"{weights} was trained on {task}, but {folder} holds {data.info.title}: use a model that was trained on it"
        )
    return data.restrict(task.attributes, task.classes, as_many_as)


def load_record(weights: Path) -> dict[str, Any]:
    """The JSON record beside ``weights``; raises CheckpointError where it is missing or damaged."""
    path = weights.with_suffix(".json")
    try:
        record: dict[str, Any] = read_json(path)
        return record
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: it describes {weights.name}; train the model again") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): train the model again") from None


def load_model(weights: Path, kind: Kind) -> tuple[Any, Architecture]:
    """Build the model that the record describes and fill it with ``weights``; returned in evaluation mode on the CPU.

    Raises:
        CheckpointError: as :func:`failure`; it is not a ``kind`` model, or names or shapes differ.
    """
    if (reason := failure(weights)) is not None:
        raise CheckpointError(f"{weights}: the training of this model failed: {reason}")
    architecture = _architecture(weights)
    if architecture.model.kind != kind:
        raise CheckpointError(
            f"{weights} holds a model of kind {architecture.model.kind}, expected {kind}: check the path"
        )
    with _describing(weights):
        model = architecture.build()
    state = load_file(weights)
    shapes = [{(name, tuple(one.shape)) for name, one in tensors.items()} for tensors in (model.state_dict(), state)]
    if odd := set.symmetric_difference(*shapes):
        raise CheckpointError(
            f"{weights} is of another architecture than {weights.with_suffix('.json').name} says (names or shapes "
            f"differ, such as {min(odd)}): use the weights and the record of one training, or train the model again"
        )
    model.load_state_dict(state)
    return model.eval().requires_grad_(False), architecture


def _architecture(weights: Path) -> Architecture:
    with _describing(weights):
        return Architecture.read(load_record(weights)["architecture"])


@contextmanager
def _describing(weights: Path) -> Iterator[None]:
    """Turn what a damaged description of a model causes into a CheckpointError."""
    try:
        yield
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.with_suffix('.json')} does not describe a model ({error})") from None
