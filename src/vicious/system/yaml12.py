"""YAML as DVC reads it, which is YAML 1.2, by the one reader that Snakemake's rules and ``vicious`` share."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from vicious.system.errors import ConfigError

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_KINDS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": rf"[-+]?(?:{_DIGITS}|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+)",
    "float": rf"[-+]?(?:(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))"
    r"|\.(?:nan|NaN|NAN)",
    "timestamp": r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?",
    "merge": r"<<",
}


class _Reader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, ScalarNode) and (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} stands there twice", key.start_mark)
            seen.add((key.tag, str(key.value)))
        return node

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        node: Node | None = super().compose_node(parent, index)
        if node is not None and node.end_mark is None:  # of a block that is not read to its end
            raise ConstructorError(None, None, "a block holds itself", node.start_mark)
        return node

    def process_directives(self) -> Any:
        found = super().process_directives()  # type: ignore[no-untyped-call]
        if self.yaml_version not in (None, (1, 2)):
            raise ConstructorError(None, None, "it must be YAML 1.2: delete %YAML", self.get_mark())
        return found

    def number(self, node: ScalarNode) -> int | float:
        text = node.value
        try:
            if node.tag.endswith("float"):
                return float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1:].isalpha() else text)
            return int(text, 0 if re.match(r"[-+]?0[box]", text) else 10)
        except ValueError:
            raise ConstructorError(None, None, f"{text[:60]!r} is not a number", node.start_mark) from None

    def date(self, node: ScalarNode) -> Any:
        raise ConstructorError(None, None, f"{node.value} is read as a date: write it in quotes", node.start_mark)


for _kind, _pattern in _KINDS.items():
    _Reader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), None)
_Reader.add_constructor("tag:yaml.org,2002:int", _Reader.number)
_Reader.add_constructor("tag:yaml.org,2002:float", _Reader.number)
_Reader.add_constructor("tag:yaml.org,2002:timestamp", _Reader.date)


def read_yaml(path: Path) -> dict[str, Any]:
    """Keys and values of a YAML file.

    Raises:
        ConfigError: with one line: it is missing, is not UTF-8, is not YAML, or holds a key twice.
    """
    try:
        raw = yaml.load(path.read_bytes().decode("utf-8-sig"), Loader=_Reader)  # noqa: S506
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; run from the project's root folder") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8: save it in this encoding") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
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
        except yaml.YAMLError:
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
    """Numbers, booleans and null in what Snakemake's ``--config`` leaves as text."""
    if isinstance(value, Mapping):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, str):
        return value
    kinds = [kind for kind in ("null", "bool", "int", "float") if re.fullmatch(_KINDS[kind], value)]
    if not kinds:
        return value
    node = ScalarNode(f"tag:yaml.org,2002:{kinds[0]}", value)
    return _Reader("").construct_object(node)
