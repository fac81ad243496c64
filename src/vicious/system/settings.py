"""Typed settings: the base of everything that a user sets, and the types and words that they share."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import core_schema

from vicious.system.registry import names, nearest


class Strict(BaseModel):
    """Settings whose unknown keys are errors, whose types are not coerced, and which do not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("values must differ from each other")
    return values


def _depth(value: int) -> int:
    if value % 6 != 4 or value < 10:
        raise ValueError("depth must be 6 n + 4: 10, 16, 22 or 28")
    return value


def _checksum(value: str) -> str:
    if re.fullmatch(_CHECKSUM, value):
        return value
    kind = {32: "md5", 64: "sha256"}.get(len(value))
    guess = f"; did you mean '{kind}:{value.lower()}'?" if kind and re.fullmatch(r"[0-9a-fA-F]+", value) else ""
    raise ValueError(f"must be md5: and 32 digits, or sha256: and 64 digits, of 0-9 and a-f{guess}")


Distinct = AfterValidator(_distinct)
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Precision = Literal["float32", "bfloat16"]
RateShape = Literal["constant", "one_cycle"]
Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
_CHECKSUM = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"
Checksum = Annotated[str, AfterValidator(_checksum), Field(json_schema_extra={"pattern": _CHECKSUM})]
Depth = Annotated[int, Field(le=40), AfterValidator(_depth)]
Width = Annotated[int, Field(ge=1, le=64)]
Outputs = Annotated[int, Field(ge=1, le=100_000)]
"""Number of classes or attributes."""


class OneOf:
    """Annotation of a text that must be one of some names.

    Args:
        valid: the names.
    """

    def __init__(self, valid: Iterable[str]) -> None:
        self._valid = tuple(valid)

    @property
    def valid(self) -> tuple[str, ...]:
        """The names."""
        return self._valid

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.valid)}

    def _check(self, name: str) -> str:
        if name not in self.valid:
            raise ValueError(f"{name!r} is not valid{nearest(name, self.valid)}")
        return name


class NameIn(OneOf):
    """Annotation of a text that must be the name of a file in a package's folder (:mod:`vicious.system.registry`).

    Args:
        package: dotted name of the package.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    @property
    def valid(self) -> tuple[str, ...]:
        return names(self._package)


def _pair(text: str) -> str:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise ValueError("must be KEY=VALUE")
    return text


Pair = Annotated[str, AfterValidator(_pair)]
"""``KEY=VALUE``, as on a command line."""


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Values by key, of :data:`Pair` texts."""
    return dict(text.split("=", 1) for text in texts)


def parsed(parse: Any) -> AfterValidator:
    """Annotation of a text that ``parse`` understands, or refuses with a ValueError."""

    def check(name: str) -> str:
        parse(name)
        return name

    return AfterValidator(check)


def problem_words(problem: Mapping[str, Any]) -> str:
    """What is wrong with a value, for a message: from one of the errors of a pydantic ValidationError."""
    return str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "should")


def shortened(found: object, most: int = 60) -> str:
    """A value for a message, cut where it is long."""
    shown = str(found)
    return repr(found) if len(shown) <= most else repr(f"{shown[: most - 3]}...")


def listed(values: Iterable[object]) -> str:
    """Values for a message, separated by commas."""
    return ", ".join(map(str, values))
