"""Models on disk: weights as safetensors, and a JSON record of everything needed to build the model again.

Nothing is ever unpickled, so an untrusted checkpoint is data and cannot run code. Weights and record carry each other's
SHA-256, so that a pair of two trainings, or half of one, is noticed: the record under the key ``weights``, the weights
in the metadata of their file.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.data.tasks import parse_task
from vicious.models.architecture import Architecture, Kind
from vicious.system.errors import CheckpointError, ConfigError
from vicious.system.files import check_regular, digest, read_json, write_bytes, write_json
from vicious.system.settings import Count, Decay, NotNegative, Positive, Precision, RateShape, Seed
from vicious.system.typed_json import UntypedError, first_problem, read_typed

_DTYPES = {"F32": torch.float32, "I64": torch.int64}
"""Of weights, and of a network's own counters."""


class _Schedule(BaseModel):
    """How a model was trained, as its record says."""

    epochs: Count
    batch_images: Count
    learning_rate: Positive
    seed: Seed
    epoch_images: Count | None
    precision: Precision = "float32"
    rate: RateShape = "constant"
    augmented: bool = True
    average: Decay = 0.0


class _Described(BaseModel):
    """What builds a model, of its JSON record."""

    model_config = ConfigDict(extra="allow")

    architecture: dict[str, Any]
    parameters: Count | None = None
    failure: str | None = None


class _Recorded(_Described):
    """The JSON record of a model that the study trained."""

    role: Literal["honest", "vicious", "autoencoder", "posthoc"]
    dataset: str
    task: str
    source: str
    data: str
    n: dict[str, Count]
    schedule: _Schedule
    outputs: str | None
    beta_c: NotNegative | None = None
    beta_r: NotNegative
    as_many_as: Count | None
    recipe: str | None = None
    evasion: NotNegative = 0.0
    evades: str = ""
    selected_epoch: Count | None = None
    target: str | None = None
    target_role: str | None = None

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if self.role != "posthoc" and self.beta_c is None:
            raise ValueError("beta_c is missing")
        return self


_Record = TypeVar("_Record", bound=_Described)


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


def _check_pair(weights: Path) -> None:
    """Raise a CheckpointError unless ``weights`` and its record, which was read before, are of one training."""
    record = read_json(weights.with_suffix(".json"))
    with _opened(weights) as file:
        found, named = digest(weights), (file.metadata() or {}).get("record")
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
    found = _read(weights, _Described).failure
    _check_pair(weights)
    return found


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
    return data.of_task(task, as_many_as)


def load_record(weights: Path) -> dict[str, Any]:
    """The JSON record beside ``weights``; raises CheckpointError where it is missing or damaged."""
    return _read(weights, _Recorded).model_dump(exclude_unset=True)


def load_model(weights: Path, kind: Kind) -> tuple[Any, Architecture]:
    """Build the model that the record describes and fill it with ``weights``; returned in evaluation mode on the CPU.

    Raises:
        CheckpointError: as :func:`failure`; it is not a ``kind`` model, or names, shapes or types differ from those of
            the architecture, or a weight is not finite.
    """
    if (reason := failure(weights)) is not None:
        raise CheckpointError(f"{weights}: the training of this model failed: {reason}")
    architecture = _architecture(weights)
    if architecture.model.kind != kind:
        raise CheckpointError(
            f"{weights} holds a model of kind {architecture.model.kind}, expected {kind}: check the path"
        )
    with _describing(weights):
        due = 4 * architecture.model.size(architecture.channels, architecture.length).parameters
        if weights.stat().st_size < due:  # so no record alone makes this build what fills the memory
            raise CheckpointError(
                f"{weights} is damaged, or of another architecture than {weights.with_suffix('.json').name} says: it "
                f"has fewer bytes than the {due:,} of these weights: train the model again"
            )
        model = architecture.build()
    model.load_state_dict(_read_state(weights, model.state_dict()))
    return model.eval().requires_grad_(False), architecture


def _read_state(weights: Path, due: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in a file, which must have the names, shapes and types of those that are ``due``, and be finite."""
    expected = {(name, str(one.dtype), tuple(one.shape)) for name, one in due.items()}
    with _opened(weights) as file:
        headers = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        found = {(name, _dtype(one.get_dtype()), tuple(one.get_shape())) for name, one in headers.items()}
        if odd := expected ^ found:
            raise CheckpointError(
                f"{weights} is of another architecture than {weights.with_suffix('.json').name} says (names, types or "
                f"shapes differ, such as {min(odd)}): use the weights and the record of one training, or train the "
                "model again"
            )
        state = {name: file.get_tensor(name) for name in due}
    for name, one in state.items():
        if not one.isfinite().all():
            raise CheckpointError(f"{weights}: {name} has values that are not finite: train the model again")
    return state


@contextmanager
def _opened(weights: Path) -> Iterator[Any]:
    """A safetensors file to read; raises a CheckpointError where it is missing or damaged."""
    try:
        check_regular(weights)
        with safe_open(weights, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise CheckpointError(f"{weights} is missing: train the model again, or restore it with `dvc pull`") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} is damaged or no safetensors file ({error}): train the model again") from None


def _dtype(name: str) -> str:
    return str(_DTYPES.get(name, name))


def _read(weights: Path, kind: type[_Record]) -> _Record:
    path = weights.with_suffix(".json")
    try:
        return read_typed(path, kind)
    except UntypedError as error:
        raise CheckpointError(f"{error}: it describes {weights.name}; train the model again") from None


def _architecture(weights: Path) -> Architecture:
    with _describing(weights):
        return Architecture.read(_read(weights, _Described).architecture)


@contextmanager
def _describing(weights: Path) -> Iterator[None]:
    """Turn what a damaged description of a model causes into a CheckpointError."""
    try:
        yield
    except ValidationError as error:
        raise CheckpointError(
            f"{weights.with_suffix('.json')} does not describe a model ({first_problem(error)})"
        ) from None
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.with_suffix('.json')} does not describe a model ({error})") from None
