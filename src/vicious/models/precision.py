"""The precision that networks compute in while they are trained, and the layers that stay in float32 whatever it is.

Weights, gradients of weights and Adam's moments are float32 always; with "bfloat16" convolutions take and give bfloat16
(PyTorch's automatic mixed precision), which has float32's range and 8 bits of its 24. What passes between F and G, the
user's outputs, is what this study measures: it is not rounded, nor are the pixels of a reconstruction.
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from vicious.system.settings import Precision


def forward(network: nn.Module, inputs: Tensor, precision: Precision) -> Tensor:
    """What a network makes of its inputs, in this precision."""
    rounding = nullcontext() if precision == "float32" else torch.autocast(inputs.device.type, torch.bfloat16)
    with rounding:
        result: Tensor = network(inputs)
    return result


def is_slow(precision: Precision, device: torch.device) -> bool:
    """Whether a device has no instructions for this precision and emulates it, which takes several times as long."""
    if precision == "float32":
        return False
    if device.type == "cuda":
        return not torch.cuda.is_bf16_supported(including_emulation=False)
    return not torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Float32Linear(nn.Linear):
    """A linear layer that computes in float32, (N, in_features) -> (N, out_features)."""

    def forward(self, inputs: Tensor) -> Tensor:
        kind = inputs.device.type
        if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
            return super().forward(inputs)
        with torch.autocast(kind, enabled=False):
            return super().forward(inputs.float())


class Float32Sigmoid(nn.Sigmoid):
    """A logistic function that computes in float32; any shape."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.float())
