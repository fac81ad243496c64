"""YAML as DVC reads it, which is YAML 1.2, by the one reader that Snakemake's rules and ``vicious`` share.

A file is small and flat, or it is refused: aliases can stand for more values than any memory holds.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from vicious.system.errors import ConfigError, DataError
from vicious.system.files import read_bounded

MOST_BYTES = 256 * 1024
"""Of a file; params.yaml has 13 KB."""
MOST_VALUES = 20_000
"""Keys, values, lists and mappings of a configuration, those that an alias repeats each time; params.yaml has 950."""
MOST_NESTED = 30
"""How deep they lie in each other; in params.yaml 6."""
_MOST_DIGITS = 100
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_KINDS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": rf"[-+]?(?:{_DIGITS}|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+)",
    "float": rf"[-+]?(?:(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))"
    r"|\.(?:nan|NaN|NAN)",
    "timestamp": r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?",
    "merge": r"<<",
}


class _Reader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._sizes: dict[int, int] = {}  # values in each node, by its id; all nodes live as long as the reader
        self._nested = 0

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, ScalarNode) and (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} stands there twice", key.start_mark)
            seen.add((key.tag, str(key.value)))
        return node

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._nested += 1
        if self._nested > MOST_NESTED:
            raise ConstructorError(None, None, f"it nests deeper than {MOST_NESTED}", self.get_mark())
        node: Node | None = super().compose_node(parent, index)
        self._nested -= 1
        if node is not None and node.end_mark is None:  # of a block that is not read to its end
            raise ConstructorError(None, None, "a block holds itself", node.start_mark)
        if node is not None:
            self._count(node)
        return node

    def _count(self, node: Node) -> None:
        """Refuse a node that holds too many values, each counted as often as an alias repeats it."""
        if id(node) not in self._sizes:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in _parts(node))
        if self._sizes[id(node)] > MOST_VALUES or len(self._sizes) > MOST_VALUES:
            raise ConstructorError(None, None, f"it holds more than {MOST_VALUES:,} values", node.start_mark)

    def process_directives(self) -> Any:
        found = super().process_directives()  # type: ignore[no-untyped-call]
        if self.yaml_version not in (None, (1, 2)):
            raise ConstructorError(None, None, "it must be YAML 1.2: delete %YAML", self.get_mark())
        return found

    def number(self, node: ScalarNode) -> int | float:
        text = self.construct_scalar(node)
        try:
            if len(text) > _MOST_DIGITS:
                raise ValueError
            if node.tag.endswith("float"):
                return float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1:].isalpha() else text)
            return int(text, 0 if re.match(r"[-+]?0[box]", text) else 10)
        except ValueError:
            raise ConstructorError(None, None, f"{text[:60]!r} is not a number", node.start_mark) from None

    def date(self, node: ScalarNode) -> Any:
        raise ConstructorError(None, None, f"{node.value} is read as a date: write it in quotes", node.start_mark)


def _parts(node: Node) -> Iterator[Node]:
    """The nodes that a node holds."""
    if isinstance(node, MappingNode):
        yield from (part for pair in node.value for part in pair)
    elif isinstance(node, SequenceNode):
        yield from node.value


for _kind, _pattern in _KINDS.items():
    _Reader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), None)
_Reader.add_constructor("tag:yaml.org,2002:int", _Reader.number)
_Reader.add_constructor("tag:yaml.org,2002:float", _Reader.number)
_Reader.add_constructor("tag:yaml.org,2002:timestamp", _Reader.date)


def read_yaml(path: Path) -> dict[str, Any]:
    """Keys and values of a YAML file.

    Raises:
        ConfigError: with one line: it is missing, is not UTF-8, is not YAML, holds a key twice, or is larger than
            :data:`MOST_BYTES`, :data:`MOST_VALUES` and :data:`MOST_NESTED` allow.
    """
    try:
        raw = yaml.load(read_bounded(path, MOST_BYTES).decode("utf-8-sig"), Loader=_Reader)  # noqa: S506
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; run from the project's root folder") from None
    except DataError as error:
        raise ConfigError(str(error)) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8: save it in this encoding") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold keys and values, found {type(raw).__name__}")
    return raw


def overridden(config: Mapping[str, Any], pairs: Iterable[str]) -> dict[str, Any]:
    """A configuration with the changes of some ``KEY=VALUE`` texts, as Snakemake makes those of its ``--config``.

    A value is YAML. Where it holds keys, those that it leaves out stay.

    Raises:
        ConfigError: a text is no such pair.
    """
    found = dict(config)
    for text in pairs:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise ConfigError(f"--config: must be KEY=VALUE, found {text!r}")
        try:
            change = yaml.load(value, Loader=yaml.BaseLoader)  # noqa: S506
        except (yaml.YAMLError, RecursionError):
            change = value  # a text, which no key takes
        found = _merged(found, {key: typed(change)})
    return found


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values by key, those of ``above`` over those of ``below``, and so for the keys of a value."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        found[key] = _merged(old if isinstance(old, Mapping) else {}, value) if isinstance(value, Mapping) else value
    return found


def typed(value: Any) -> Any:
    """Numbers, booleans and null in what Snakemake's ``--config`` leaves as text.

    Raises:
        ConfigError: it has a number of too many digits, or is larger than :data:`MOST_VALUES` and :data:`MOST_NESTED`
            allow, each value counted as often as an alias repeats it.
    """
    left = MOST_VALUES

    def of(value: Any, nested: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or nested > MOST_NESTED:
            most = f"holds more than {MOST_VALUES:,} values" if left < 0 else f"nests deeper than {MOST_NESTED}"
            raise ConfigError(f"--config {most}: write what you need of it into a file, and give --configfile")
        if isinstance(value, Mapping):
            return {key: of(item, nested + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [of(item, nested + 1) for item in value]
        return _scalar(value) if isinstance(value, str) else value

    return of(value, 1)


def _scalar(text: str) -> Any:
    kinds = [kind for kind in ("null", "bool", "int", "float") if re.fullmatch(_KINDS[kind], text)]
    if not kinds:
        return text
    try:
        return _Reader("").construct_object(ScalarNode(f"tag:yaml.org,2002:{kinds[0]}", text))
    except ConstructorError as error:
        raise ConfigError(f"--config: {error.problem}") from None
