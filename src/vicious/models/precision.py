"""The precision that networks compute in while they are trained, and the layers that stay in float32 whatever it is.

Weights, gradients of weights and Adam's moments are float32 always; with "bfloat16" convolutions take and give bfloat16
(PyTorch's automatic mixed precision), which has float32's range and 8 bits of its 24. What passes between F and G, the
user's outputs, is what this study measures: it is not rounded, nor are the pixels of a reconstruction.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from vicious.system.settings import Precision

_BFLOAT16 = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}
"""Flags of CPUs, the last of them Arm's, that have instructions for bfloat16."""


def forward(network: nn.Module, inputs: Tensor, precision: Precision) -> Tensor:
    """What a network makes of its inputs, in this precision."""
    rounding = nullcontext() if precision == "float32" else torch.autocast(inputs.device.type, torch.bfloat16)
    with rounding:
        result: Tensor = network(inputs)
    return result


def is_slow(precision: Precision, device: torch.device) -> bool:
    """Whether a device is known to have no instructions for this precision, and to emulate it many times slower."""
    if precision == "float32":
        return False
    if device.type == "cuda":
        return not torch.cuda.is_bf16_supported(including_emulation=False)
    flags = _flags()
    return bool(flags) and flags.isdisjoint(_BFLOAT16)


@cache
def _flags() -> frozenset[str]:
    """What this machine's CPU can, as Linux says; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    found = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return frozenset(next(found, "").split())


def in_float32(kind: str) -> AbstractContextManager[object]:
    """Within it a device of this kind computes in float32, if what it is given is in float32."""
    return torch.autocast(kind, enabled=False) if _rounds(kind) else nullcontext()


def _rounds(kind: str) -> bool:
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


class Float32Linear(nn.Linear):
    """A linear layer that computes in float32, (N, in_features) -> (N, out_features)."""

    def forward(self, inputs: Tensor) -> Tensor:
        kind = inputs.device.type
        if not _rounds(kind):
            return super().forward(inputs)
        with torch.autocast(kind, enabled=False):
            return super().forward(inputs.float())


class Float32Sigmoid(nn.Sigmoid):
    """A logistic function that computes in float32; any shape."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.float())
