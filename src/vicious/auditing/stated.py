"""What `vicious export` states in a model's metadata, so that an audit need not be given it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vicious.auditing.loaded import Kind
from vicious.system.errors import AuditError
from vicious.system.settings import shortened

_RANGE, _KIND, _MULTILABEL = "vicious.value_range", "vicious.outputs", "vicious.multilabel"
_KINDS: dict[str, Kind] = {"logits": "logits", "probabilities": "probabilities"}
Value = TypeVar("Value")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Stated:
    """What a model's metadata states; None: nothing.

    Attributes:
        value_range: values of a black and of a white pixel.
        kind: of the outputs.
        multilabel: whether outputs are of attributes.
    """

    value_range: tuple[float, float] | None = None
    kind: Kind | None = None
    multilabel: bool | None = None

    def metadata(self) -> dict[str, str]:
        """As texts by key; what is None is left out."""
        found: dict[str, str] = {}
        if self.value_range is not None:
            found[_RANGE] = ",".join(f"{value:g}" for value in self.value_range)
        if self.kind is not None:
            found[_KIND] = self.kind
        if self.multilabel is not None:
            found[_MULTILABEL] = str(self.multilabel).lower()
        return found


def read_stated(path: Path, metadata: Mapping[str, str]) -> Stated:
    """The inverse of :meth:`Stated.metadata`; other keys are passed over.

    Raises:
        AuditError: a value is none of those that it writes.
    """
    return Stated(
        _range(path, metadata[_RANGE]) if _RANGE in metadata else None,
        _one_of(path, _KIND, metadata, _KINDS),
        _one_of(path, _MULTILABEL, metadata, _TRUTH),
    )


def _one_of(path: Path, key: str, metadata: Mapping[str, str], known: Mapping[str, Value]) -> Value | None:
    if (text := metadata.get(key)) is None:
        return None
    if text not in known:
        raise AuditError(
            f"{path}: its metadata has {key} {shortened(text)}, expected {' or '.join(known)}: export it again"
        )
    return known[text]


def _range(path: Path, text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = 0.0
    if not -1e6 < low < high < 1e6:
        raise AuditError(f"{path}: its metadata has {_RANGE} {shortened(text)}, expected two numbers: export it again")
    return low, high
