"""ONNX Runtime, on the CPU."""

from pathlib import Path
from typing import Any

from vicious.auditing.asking import one_line
from vicious.system.errors import AuditError

_THREADS = 2


def open_session(path: Path, content: bytes | None) -> Any:
    """An ``onnxruntime.InferenceSession`` of a model's ``content``; None: of its file, which has weights beside it.

    Raises:
        AuditError: it is damaged, or needs operators that ONNX Runtime does not have.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = _THREADS, 1
    options.log_severity_level = 4  # what it logs is raised too
    options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(
            str(path) if content is None else content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its own, of many kinds
        words = one_line(error)
        custom = "not a registered function" in words or "No opset import for domain" in words
        raise AuditError(
            f"ONNX Runtime cannot load {path} ({words}): "
            + ("export it with standard operators alone" if custom else "export the model again")
        ) from error
