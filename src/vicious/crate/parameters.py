"""The parameters of a scale: those values of params.yaml on which results depend."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from vicious.study.config import Params

_KINDS = {bool: "Boolean", int: "Integer", float: "Float"}
_LEFT_OUT = frozenset({"data.root", "scales"})
"""Where files lie on a machine, on which no result depends; and all scales, of which one is shown."""


@dataclass(frozen=True)
class Parameter:
    """One value of a configuration.

    Attributes:
        name: its keys, as in ``scales.smoke.epochs``.
        value: a number or truth value; of all else the text, as it may stand in params.yaml.
        description: what it means; "" where that is not said.
    """

    name: str
    value: str | int | float | bool
    description: str

    @property
    def kind(self) -> str:
        """Its type in schema.org's words."""
        return _KINDS.get(type(self.value), "Text")


def parameters(params: Params) -> list[Parameter]:
    """All of a configuration's scale, in the order of params.yaml; none of other scales, nor of datasets that are not
    asked for."""
    study = params.study
    overrides = {name: own for name, own in study.overrides.items() if name in params.datasets}
    shared = [one for one in _leaves("", params.model_copy(update={"scales": {}}), "") if one.name not in _LEFT_OUT]
    return [*shared, *_leaves(f"scales.{params.scale}", study.model_copy(update={"overrides": overrides}), "")]


def _leaves(name: str, value: Any, description: str) -> Iterator[Parameter]:
    if isinstance(value, BaseModel):
        for key, part in value:
            if key in value.model_fields_set:
                about = type(value).model_fields[key].description or ""
                yield from _leaves(f"{name}.{key}".lstrip("."), part, about)
    elif isinstance(value, Mapping) and any(isinstance(one, BaseModel) for one in value.values()):
        for key, one in value.items():
            yield from _leaves(f"{name}.{key}", one, description)
    else:
        plain = isinstance(value, bool | int | float | str)
        yield Parameter(name, value if plain else json.dumps(value, sort_keys=True), description)
