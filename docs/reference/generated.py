"""The parts of the reference that are made from the code when the site is built: parameters and commands."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vicious.cli import command_line
from vicious.study.config import Params

_SCALES = "scales"
_BEYOND = 1e6
"""A largest value from here on is none that matters."""


def parameters() -> str:
    """A table of every key of params.yaml: its values and its meaning, from the typed configuration."""
    schema = Params.model_json_schema()
    lines = ["| key | values | meaning |", "| --- | --- | --- |"]
    for key, values, meaning in _keys(schema, schema["$defs"], ""):
        lines.append(f"| `{key}` | {_cell(values)} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _keys(part: Mapping[str, Any], known: Mapping[str, Any], above: str) -> Iterator[tuple[str, str, str]]:
    """Each key below a part of the schema, its values and its meaning. The blocks of scales are alike: one stands for
    all."""
    for name, found in part["properties"].items():
        own = _resolved(found, known)
        key = f"{above}{name}"
        if "properties" not in own:
            yield key, _values(own, known), own.get("description", "")
        elif above == f"{_SCALES}.":
            yield from _keys(own, known, f"{_SCALES}.<scale>.")
            return
        else:
            yield from _keys(own, known, f"{key}.")


def _resolved(part: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """A part of the schema with what it refers to."""
    found = dict(part)
    if "$ref" in found:
        found = {**known[found.pop("$ref").rpartition("/")[2]], **found}
    return found


def _values(part: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """The values of a key in words."""
    one = _resolved(part, known)
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_values(other, known) for other in one["anyOf"]))
    if "enum" in one or "const" in one:
        return ", ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    match one.get("type"):
        case "array":
            return f"list of {_several(_values(one['items'], known))}" if "items" in one else "list"
        case "object" if "properties" in one:
            return f"block of {', '.join(f'`{name}`' for name in one['properties'])}"
        case "object":
            inside = one.get("additionalProperties")
            return f"mapping to {_several(_values(inside, known))}" if isinstance(inside, dict) else "mapping"
        case "integer" | "number" as kind:
            return " ".join(["whole number" if kind == "integer" else "number", *_range(one)])
        case "string":
            return "text"
        case "boolean":
            return "`true`, `false`"
        case "null":
            return "`null`"
    return "any"


def _several(words: str) -> str:
    """The plural of what a key holds."""
    return re.sub(r"^(whole number|number|text|list|mapping)", r"\1s", words)


def _range(one: Mapping[str, Any]) -> Iterator[str]:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return (f"{words[name]} {one[name]:g}" for name in words if name in one and one[name] < _BEYOND)


def commands() -> str:
    """Every command with its options, as ``--help`` says them."""
    text = command_line().generate_docs(output_format="markdown", heading_level=2)
    text = re.sub(r"^vicious (\S+) \1 ", r"vicious \1 ", text, flags=re.M)
    start = text.index("**The study")  # after the list of contents, which the site makes itself
    return re.sub(r"^### vicious (\S+)$", r"## \1", re.sub(r"\(#vicious-", "(#", text[start:]), flags=re.M)
