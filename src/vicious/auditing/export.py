"""A study's target model as ONNX, so that it can be audited like any other."""

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vicious.auditing.model import file_of
from vicious.auditing.onnx_session import open_session
from vicious.auditing.stated import Stated
from vicious.data.splits import SIDE
from vicious.system.errors import AuditError
from vicious.system.files import atomic_path, check_writable

if TYPE_CHECKING:
    from torch import nn


CHECKED = 100
"""Images of noise on which the exported model is compared with PyTorch's."""
TOLERANCE = 1e-4
"""The largest difference of an output, as a share of the largest output, or of 1."""


def export_onnx(target: Path, out: Path, probabilities: bool = False) -> float:
    """Write a study's target model as ONNX, for batches of any size.

    Its metadata says what it takes and gives, the dataset and the task. It does not say how the model was trained: an
    audit is to find out.

    Args:
        target: target.safetensors, or its folder.
        out: a file .onnx.
        probabilities: softmax follows the logits; of attributes, sigmoid.

    Returns:
        The largest difference from PyTorch's outputs on :data:`CHECKED` images of noise.

    Raises:
        AuditError: the name of ``out``; or outputs differ by more than :data:`TOLERANCE`.
        CheckpointError: the target model is damaged, or its training failed.
        StorageError: it cannot be written.
    """
    from vicious.models.checkpoint import load_model, load_record

    if out.suffix.lower() != ".onnx":
        raise AuditError(f"{out} is no name for an ONNX model: let it end in .onnx")
    weights = file_of(target)
    network, architecture = load_model(weights, "target")
    check_writable(out.parent)
    if probabilities:
        network = _probabilities(network, architecture.multilabel)
    model = _exported(network, architecture.channels)
    record = load_record(weights)
    kind: Literal["logits", "probabilities"] = "probabilities" if probabilities else "logits"
    stated = Stated((0.0, 1.0), kind, architecture.multilabel).metadata()
    for key, value in {**stated, "vicious.dataset": record["dataset"], "vicious.task": record["task"]}.items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString(deterministic=True)
    difference = _difference(network, content, architecture.channels, out)
    with atomic_path(out) as temporary:
        temporary.write_bytes(content)
    return difference


def _probabilities(network: "nn.Module", multilabel: bool) -> "nn.Module":
    """The network, and softmax or sigmoid of its logits."""
    from torch import nn

    return nn.Sequential(network, nn.Sigmoid() if multilabel else nn.Softmax(1)).eval()


def _exported(network: "nn.Module", channels: int) -> Any:
    """An ``onnx.ModelProto``; notes on which code it came from, with paths of this machine, are left out."""
    import torch

    for name in ("onnxscript", "onnx_ir"):  # they report every node that they change
        logging.getLogger(name).setLevel(logging.WARNING)
    images = torch.zeros(2, channels, SIDE, SIDE)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (images,),
            input_names=["images"],
            output_names=["outputs"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    model.doc_string = ""
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ):
        part.ClearField("metadata_props")
    for node in model.graph.node:
        node.ClearField("doc_string")
    return model


def _difference(network: "nn.Module", content: bytes, channels: int, out: Path) -> float:
    """The largest difference of outputs on images of noise; raises an AuditError above :data:`TOLERANCE`."""
    import torch

    images = np.random.default_rng(0).random((CHECKED, channels, SIDE, SIDE), dtype=np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    found = open_session(out, content).run(None, {"images": images})[0]
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise AuditError(
            f"the exported model differs from PyTorch's by up to {difference:.3g}, more than {TOLERANCE:g} of the "
            "largest output: it is not written. Report it, with the versions that `vicious version --json` prints"
        )
    return difference
