"""PyTorch's exported programs (``torch.export.save``), checked and rebuilt before PyTorch reads them.

``torch.export.load`` unpickles parts of an archive, evaluates expressions and names functions by text, so a file could
run code. Here the archive is read as data first. A new archive is made of its graph and plain tensors alone, and only
this one is loaded. Refused is whatever exporting a classifier does not need: pickled parts, compiled libraries,
functions that are no operators on tensors, texts that are more than names.
"""

import io
import json
import re
import warnings
from pathlib import Path
from typing import Any

from vicious.auditing.archives import listed, members, packed
from vicious.auditing.asking import one_line
from vicious.auditing.loaded import Asked, Loaded
from vicious.auditing.torch_run import torch_run
from vicious.system.errors import AuditError

_FORMAT = "archive_format"
_GRAPH, _SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
_CONFIGS = {
    "data/weights/model_weights_config.json": ("data/weights/", "weight_"),
    "data/constants/model_constants_config.json": ("data/constants/", "tensor_"),
}
_KEPT = ("archive_version", ".data/version", "byteorder")
_DROPPED: dict[str, Any] = {"metadata": {}, "guards_code": [], "treespec_namedtuple_fields": {}}
"""Parts of a graph that describe how it was made; PyTorch would evaluate some of them."""
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|torchvision)\.(?!_*save|_*load|from_file|_print)\w+\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_(int|float|max|min|not|sum)"
    r"|math\.(ceil|floor|trunc)",
    re.ASCII,
)
_NAME = re.compile(r"(?!.*\.__)(?!__)[\w.]*", re.ASCII)
_VERSION = re.compile(r"[\w.+-]{1,60}", re.ASCII)
_EXPRESSION = re.compile(
    r"(?:[A-Z][A-Za-z]{1,40}\(|'(?:[su]\d+|zuf\d+)'|[a-z]{4,12}=(?:True|False)|-?\d+(?:\.\d+)?|[(), ]){1,400}", re.ASCII
)
"""Of sizes, as sympy writes them: ``Mul(Integer(2), Symbol('s77', positive=True, integer=True))``."""
_SPEC_TYPES = (None, "builtins.tuple", "builtins.list", "builtins.dict")
_TARGETS, _EXPRESSIONS, _SPECS = ("target", "as_operator"), ("expr_str",), ("in_spec", "out_spec")


def recognises(path: Path, _head: bytes) -> bool:
    """By its members."""
    names = listed(path)
    return _FORMAT in names or any(name.startswith("models/") and name.endswith(".json") for name in names)


def load(path: Path, asked: Asked) -> Loaded:
    """The program, from an archive that was checked and made anew.

    Raises:
        AuditError: it is damaged, of another version of PyTorch, or holds more than a graph and tensors; or it has
            several inputs.
    """
    program = _program(path, _checked(path, members(path)))
    taken = _input(path, program, asked)
    network = program.module()
    value = taken.meta["val"]
    return Loaded(
        format="torch.export",
        run=torch_run(network, path.name, asked.output),
        axes=tuple(axis if isinstance(axis, int) else None for axis in value.shape),
        found=f"input {_shown(taken)}",
        dtype=str(value.dtype).removeprefix("torch."),
        module=network,
    )


def _checked(path: Path, parts: dict[str, bytes]) -> io.BytesIO:
    """An archive of the graph and the plain tensors of another."""
    if any(name.startswith(("data/aotinductor/", "data/executorch/")) for name in parts):
        raise AuditError(f"{path} holds a compiled library, which would run as it is. {_ANEW}")
    if (absent := [name for name in (_GRAPH, *_CONFIGS) if name not in parts]) or parts.get(_FORMAT, b"pt2") != b"pt2":
        raise AuditError(f"{path} was saved by an old version of PyTorch ({', '.join(absent)} missing). {_ANEW}")
    kept = {_FORMAT: b"pt2", **{name: parts[name] for name in _KEPT if name in parts}}
    try:
        kept[_GRAPH] = json.dumps(_graph(json.loads(parts[_GRAPH]))).encode()
        for config, (folder, prefix) in _CONFIGS.items():
            described = json.loads(parts[config])
            kept[config] = json.dumps(_plain(described)).encode()
            for one in described["config"].values():
                name = one["path_name"]
                if one["use_pickle"] or not re.fullmatch(rf"{prefix}\d+", name, re.ASCII):
                    raise _UnsafeError(f"the pickled part {name!r}")
                kept[folder + name] = parts[folder + name]
    except _UnsafeError as error:
        raise AuditError(
            f"{path} holds more than a graph and tensors: {error}. It is not loaded, since it could run code. {_ANEW}"
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise AuditError(f"{path} is damaged ({one_line(error)}). {_ANEW}") from error
    return packed({**kept, _SAMPLES: b""})  # those of the file are pickled, and nothing needs them


_ANEW = (
    "Export the model anew, on a CPU, with the PyTorch that is installed here: "
    'torch.export.save(torch.export.export(model.eval(), (images,)), "model.pt2")'
)


class _UnsafeError(Exception):
    """Part of a graph is none that an exported classifier needs."""


def _graph(program: dict[str, Any]) -> dict[str, Any]:
    """A program's graph without what only describes it."""
    module = program["graph_module"]
    module["module_call_graph"] = [one for one in module["module_call_graph"] if one["fqn"] == ""]
    if not _VERSION.fullmatch(program["torch_version"]):
        raise _UnsafeError("a version that is none")
    checked: dict[str, Any] = _plain({**program, "torch_version": ""})
    return {**checked, "torch_version": program["torch_version"]}


def _plain(value: Any, key: str = "") -> Any:
    """The same value, each text of which is a name, an operator or an expression of sizes.

    Raises:
        _UnsafeError: a text is something else.
    """
    if key in _DROPPED:
        return _DROPPED[key]
    if isinstance(value, dict):
        for name in value:
            _check_text(name, "")
        return {name: _plain(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, key) for one in value]
    if isinstance(value, str):
        _check_text(value, key)
    return value


def _check_text(text: str, key: str) -> None:
    if key in _TARGETS:
        kind, sound = "the function", bool(_OPERATOR.fullmatch(text))
    elif key in _EXPRESSIONS:
        kind, sound = "the expression", bool(_EXPRESSION.fullmatch(text))
    elif key in _SPECS:
        kind, sound = "the structure", _is_spec(json.loads(text))
    else:
        kind, sound = "the text", bool(_NAME.fullmatch(text))
    if not sound:
        raise _UnsafeError(f"{kind} {text[:60]!r}")


def _is_spec(spec: Any) -> bool:
    """Whether it describes tuples, lists and dicts alone."""
    if not (isinstance(spec, list) and len(spec) == 2):
        return False
    waiting = [spec[1]]
    while waiting:
        one = waiting.pop()
        context = json.loads(one["context"]) if one["context"] is not None else None
        names = context if isinstance(context, list) else []
        if one["type"] not in _SPEC_TYPES or not (context is None or isinstance(context, list)):
            return False
        if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
            return False
        waiting += one["children_spec"]
    return True


def _program(path: Path, archive: io.BytesIO) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(archive)
    except Exception as error:  # PyTorch's are of any kind
        raise AuditError(
            f"PyTorch {torch.__version__} cannot read the program in {path} ({one_line(error)}). {_ANEW}"
        ) from error


def _input(path: Path, program: Any, asked: Asked) -> Any:
    """The node of the input that takes the images."""
    names = list(program.graph_signature.user_inputs)
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    shown = ", ".join(map(_shown, nodes)) or "none"
    if asked.input is not None and asked.input not in names:
        raise AuditError(f"{path} has no input {asked.input!r}: choose one of {shown}")
    if len(nodes) != 1:
        raise AuditError(f"{path} needs {len(names)} inputs: {shown}. Export it so that it needs images alone")
    return nodes[0]


def _shown(node: Any) -> str:
    value = node.meta.get("val")
    return f"{node.name} ({getattr(value, 'dtype', type(value).__name__)} {list(getattr(value, 'shape', ()))})"
