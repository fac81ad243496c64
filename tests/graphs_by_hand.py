"""Small ONNX models, made node by node, and archives with a part that touches a file where it is unpickled."""

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vicious.auditing.model import Asked, open_model
from vicious.system.errors import ViciousError

Axes = Sequence[int | str]


def linear_graph(
    path: Path,
    axes: Axes = ("n", 3, 8, 8),
    outputs: int = 10,
    kind: int = TensorProto.FLOAT,
    last: Sequence[str] = (),
    domain: str = "",
    squeeze: bool = False,
    metadata: dict[str, str] | None = None,
) -> np.ndarray:
    """A model that multiplies each image's values with a matrix, which is returned, (values, outputs).

    Args:
        axes: of the input.
        outputs: K.
        kind: of values.
        last: operators that follow.
        domain: of these.
        squeeze: the last axis is dropped, so that answers are (n,).
        metadata: of the model.
    """
    length = int(np.prod([int(axis) for axis in axes[1:]]))
    drawn = np.random.default_rng(1).normal(size=(length, outputs)) / length**0.5
    matrix: np.ndarray = drawn.astype(helper.tensor_dtype_to_np_dtype(kind))
    names = ["flat", "product", *(f"after{number}" for number in range(len(last)))]
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["product"]),
        *(helper.make_node(name, [names[at + 1]], [names[at + 2]], domain=domain) for at, name in enumerate(last)),
    ]
    tensors = [numpy_helper.from_array(matrix, "matrix")]
    if squeeze:
        tensors.append(numpy_helper.from_array(np.asarray([1]), "axis"))
        nodes.append(helper.make_node("Squeeze", [names[-1], "axis"], ["squeezed"]))
        names.append("squeezed")
    shape: Axes = (axes[0],) if squeeze else (axes[0], outputs)
    save_graph(path, nodes, [("images", kind, axes)], [(names[-1], kind, shape)], tensors, metadata, domain)
    return matrix


def save_graph(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[tuple[str, int, Axes]],
    outputs: Sequence[tuple[str, int, Axes]],
    tensors: Sequence[Any] = (),
    metadata: dict[str, str] | None = None,
    domain: str = "",
) -> None:
    """Write a graph of these nodes."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        tensors,
    )
    imports = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self._touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._touched),)


def evil_pickle(touched: Path) -> bytes:
    """A pickle that makes ``touched``; that it does is tried."""
    data = pickle.dumps(Evil(touched))
    pickle.loads(data)  # noqa: S301 (its own)
    touched.rmdir()
    return data


def opened_or_explained(file: Path, asked: Asked = Asked()) -> None:  # noqa: B008 (frozen)
    """Open a damaged model: it opens, or an error says why not."""
    try:
        open_model(file, asked)
    except ViciousError as error:
        assert str(error)  # noqa: PT017
