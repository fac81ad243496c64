"""A target model of a study: ``target.safetensors`` with its record ``target.json`` beside it."""

from pathlib import Path

from vicious.auditing.loaded import Asked, Loaded
from vicious.auditing.torch_run import torch_run
from vicious.data.splits import SIDE
from vicious.system.errors import AuditError


def recognises(_path: Path, head: bytes) -> bool:
    """By the length of the header, 8 bytes, and the header's beginning."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27


def load(path: Path, asked: Asked) -> Loaded:
    """The target model.

    Raises:
        AuditError: there is no record beside it.
        CheckpointError: weights and record do not belong together, or are damaged.
    """
    from vicious.models.checkpoint import load_model

    if not path.with_suffix(".json").is_file():
        raise AuditError(
            f"{path} holds weights alone, and {path.with_suffix('.json').name} is not beside it: put a study's record "
            "there, or export the model as ONNX"
        )
    network, architecture = load_model(path, "target")
    return Loaded(
        format="a study's target model",
        run=torch_run(network, path.name, asked.output),
        axes=(None, architecture.channels, SIDE, SIDE),
        found=f"images of {architecture.channels} x {SIDE} x {SIDE}, {architecture.outputs} outputs",
        value_range=(0.0, 1.0),
        kind="logits",
        multilabel=architecture.multilabel,
        module=network,
    )
