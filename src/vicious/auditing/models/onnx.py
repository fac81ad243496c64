"""ONNX, by ONNX Runtime on the CPU. A graph is data: it has no code of its own."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.archives import content_of
from vicious.auditing.asking import one_line
from vicious.auditing.loaded import Asked, Loaded, Run
from vicious.auditing.onnx_session import open_session
from vicious.auditing.stated import read_stated
from vicious.system.errors import AuditError

_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_PROBABILITIES = ("Softmax", "Sigmoid")


def recognises(path: Path, head: bytes) -> bool:
    """By its name, or by the first fields of a model: the version of ONNX as a small number, then a text."""
    return path.suffix.lower() == ".onnx" or (
        len(head) > 2 and head[0] == 0x08 and 1 <= head[1] <= 30 and head[2] in (0x12, 0x1A, 0x22, 0x3A)
    )


def load(path: Path, asked: Asked) -> Loaded:
    """A session of the model.

    Raises:
        AuditError: it is damaged, refers to a file outside of its folder, needs operators that ONNX Runtime does not
            have, or its inputs or outputs are not clear.
    """
    content = content_of(path)
    model = _parsed(path, content)
    session = open_session(path, None if _external(path, model) else content)
    taken = _input(path, session, asked)
    given = _output(path, session, asked)
    stated = read_stated(path, dict(session.get_modelmeta().custom_metadata_map))
    notes: tuple[str, ...] = ()
    kind = stated.kind
    if kind is None and (last := _last(model, given.name)) is not None:
        kind, notes = "probabilities", (f"The output {given.name} comes from {last}: probabilities.",)
    return Loaded(
        format="ONNX",
        run=_run(session, taken.name, given.name),
        axes=tuple(axis if isinstance(axis, int) and axis > 0 else None for axis in taken.shape) or None,
        found=f"input {_shown(taken)}; outputs {_list(session.get_outputs())}",
        dtype=_TYPES[taken.type],
        value_range=stated.value_range,
        kind=kind,
        multilabel=stated.multilabel,
        notes=notes,
    )


def _parsed(path: Path, content: bytes) -> Any:
    import onnx

    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's own
        raise AuditError(f"{path} is no ONNX model, or damaged ({one_line(error)}): export the model again") from error
    if not model.graph.node or not model.graph.output:
        raise AuditError(f"{path} is no ONNX model, or damaged (it has no graph): export the model again")
    return model


def _external(path: Path, model: Any) -> bool:
    """Whether weights lie in files beside the model; raises an AuditError where one lies outside of its folder."""
    import onnx

    found = False
    home = path.resolve().parent
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        found = True
        place = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        file = home / place
        if not place or PurePosixPath(place).is_absolute() or not file.resolve().is_relative_to(home):
            raise AuditError(
                f"{path} takes weights from {place!r}, which is not in its folder: export the model into one file"
            )
        if not file.is_file():
            raise AuditError(f"{path} needs the file {place} beside it, with weights: put it there")
    return found


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model, those of attributes and inner graphs included."""
    yield from model.graph.initializer
    yield from (part for one in model.graph.sparse_initializer for part in (one.values, one.indices))
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        for one in (part for node in graph.node for part in node.attribute):
            yield from (one.t, *one.tensors)
            for inner in (one.g, *one.graphs):
                yield from inner.initializer
                if inner.node:
                    waiting.append(inner)


def _input(path: Path, session: Any, asked: Asked) -> Any:
    """The input that takes the images; those with defaults need no value, and are not among these."""
    inputs = session.get_inputs()
    names = [one.name for one in inputs]
    if asked.input is not None and asked.input not in names:
        raise AuditError(f"{path} has no input {asked.input!r}: choose one of {_list(inputs)}")
    if len(inputs) != 1:
        raise AuditError(
            f"{path} needs {len(inputs)} inputs: {_list(inputs)}. Export it so that it needs images alone, "
            "and the other inputs have defaults"
        )
    if inputs[0].type not in _TYPES:
        raise AuditError(f"{path} takes {_list(inputs)}; expected floating-point numbers or uint8: export it so")
    return inputs[0]


def _output(path: Path, session: Any, asked: Asked) -> Any:
    """The output that is asked for, or the only one that is a matrix of floating-point numbers."""
    outputs = session.get_outputs()
    if asked.output is not None:
        for one in outputs:
            if one.name == asked.output and one.type in _FLOATS:
                return one
        raise AuditError(f"{path} has no output {asked.output!r} of numbers: choose one of {_list(outputs)}")
    fitting = [one for one in outputs if one.type in _FLOATS]
    if len(fitting) > 1:
        fitting = [one for one in fitting if len(one.shape or ()) in (1, 2)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise AuditError(f"{path} has several outputs: {_list(outputs)}. Choose one by --output")
    maps = any(one.type.startswith("seq(map") for one in outputs)
    raise AuditError(
        f"{path} has no output of floating-point numbers, but {_list(outputs)}: export it with logits or probabilities"
        + (' (skl2onnx: options={"zipmap": False})' if maps else "")
    )


def _list(parts: Any) -> str:
    return ", ".join(map(_shown, parts)) or "none"


def _shown(part: Any) -> str:
    return f"{part.name} ({part.type.removeprefix('tensor(').removesuffix(')')} {part.shape})"


def _last(model: Any, output: str) -> str | None:
    """The operator that makes an output, where it makes probabilities."""
    for node in model.graph.node:
        if output in node.output and node.op_type in _PROBABILITIES and node.domain in ("", "ai.onnx"):
            return str(node.op_type)
    return None


def _run(session: Any, taken: str, given: str) -> Run:
    def run(batch: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(session.run([given], {taken: batch})[0])

    return run
