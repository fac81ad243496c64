"""JSON files that others may have written: read within bounds, checked against a type, or refused in one line."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from vicious.system.files import MOST_JSON, parse_json, read_bounded
from vicious.system.settings import problem_words, shortened

Kind = TypeVar("Kind")


class UntypedError(Exception):
    """A JSON file is not what it should be. The text names the file, and what is wrong with it."""


def read_typed(path: Path, kind: type[Kind]) -> Kind:
    """Read a JSON file of a type that pydantic checks strictly: a model, or a dataclass.

    Args:
        kind: the type; the ranges of its values are part of it.

    Raises:
        UntypedError: it names the file and key, what was found and what was expected; who reads the file adds what to
            do. The file is missing, larger than :data:`~vicious.system.files.MOST_JSON`, no standard JSON
            (:func:`~vicious.system.files.parse_json`), or of another type.
        DataError: it is no regular file.
    """
    try:
        content = read_bounded(path, MOST_JSON)
        parse_json(content)
        return cast(Kind, _adapter(cast(Any, kind)).validate_json(content, strict=True))
    except FileNotFoundError:
        raise UntypedError(f"{path} is missing") from None
    except OSError as error:
        raise UntypedError(f"cannot read {path} ({error.strerror})") from None
    except ValidationError as error:
        raise UntypedError(f"{path} is damaged ({first_problem(error)})") from None
    except ValueError as error:
        raise UntypedError(f"{path} is damaged ({error})") from None


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a record: the key, what was expected, and what was found."""
    problem = error.errors()[0]
    key = ".".join(str(part)[:60] for part in problem["loc"]) or "the whole"
    if problem["type"] == "missing":
        return f"{key} is missing"
    return f"{key}: {problem_words(problem)[:200]}, found {shortened(problem['input'])}"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
