"""Asking a PyTorch network."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.loaded import Run
from vicious.system.errors import AuditError

if TYPE_CHECKING:
    from torch import Tensor


def torch_run(network: "Callable[[Tensor], Any]", name: str, output: str | None) -> Run:
    """Asks a network, without gradients.

    Args:
        name: of its file, for messages.
        output: which of several outputs is read: a name, or a number from 0.
    """

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        import torch

        with torch.no_grad():
            found = _chosen(network(torch.from_numpy(batch)), name, output)
        found = found.detach().cpu()
        return np.asarray((found.float() if found.dtype == torch.bfloat16 else found).numpy())

    return run


def _chosen(answer: Any, name: str, output: str | None) -> "Tensor":
    """The output that is asked for, or the only one that is a matrix of floating-point numbers."""
    import torch

    if isinstance(answer, torch.Tensor):
        return answer
    if isinstance(answer, dict):
        named = {str(key): one for key, one in answer.items()}
    elif isinstance(answer, tuple | list):
        named = {str(at): one for at, one in enumerate(answer)}
    else:
        raise AuditError(f"{name} answers a {type(answer).__name__}, expected numbers: export it with one output")
    tensors = {key: one for key, one in named.items() if isinstance(one, torch.Tensor)}
    if output is not None and output in tensors:
        return tensors[output]
    fitting = [one for one in tensors.values() if one.is_floating_point() and one.ndim <= 2]
    if output is None and len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(f"{key} of shape {tuple(one.shape)}" for key, one in tensors.items())
    raise AuditError(f"{name} has the outputs {shown or 'that are no numbers'}: choose one by --output")
