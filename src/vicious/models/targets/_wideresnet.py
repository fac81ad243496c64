"""The network of :mod:`vicious.models.targets.wideresnet`.

Architecture: Zagoruyko and Komodakis, "Wide Residual Networks" (2016), with the padding and shortcuts that the study
of vicious classifiers uses (arXiv 2212.04223).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vicious.models.precision import Float32Linear


class PreActivationBlock(nn.Module):
    """BatchNorm, ReLU, 3x3 convolution, twice, plus a shortcut.

    Where the stride is 2 the 3x3 input is padded on the right and bottom only. Where the number of channels changes the
    shortcut is a strided 1x1 convolution of the *activated* input, elsewhere the input itself. Maps that no
    backward pass needs are overwritten: between those that it needs they would leave gaps in memory.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1 if stride == 1 else 0, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, padding=1, bias=False)
        changes = channels_in != channels_out
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        activated = functional.relu(self.norm1(x), inplace=True)
        padded = functional.pad(activated, (0, 1, 0, 1)) if self.stride == 2 else activated
        residual: Tensor = self.conv2(functional.relu(self.norm2(self.conv1(padded)), inplace=True))
        return residual.add_(x if self.shortcut is None else self.shortcut(activated))


class TargetModel(nn.Module):
    """Classifier F, images (N, channels, 32, 32) in [0, 1] -> logits (N, outputs): so many residual ``blocks`` in each
    of three groups; ``widths`` are the channels of the stem and of the groups. Its buffers ``mean`` and ``std``
    are the channel statistics of the training images, part of the saved state."""

    mean: Tensor
    std: Tensor

    def __init__(self, blocks: int, widths: Sequence[int], channels: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.groups = nn.Sequential()
        for group, (inside, outside) in enumerate(pairwise(widths)):
            self.groups.append(PreActivationBlock(inside, outside, stride=2 if group else 1))
            self.groups.extend(PreActivationBlock(outside, outside, stride=1) for _ in range(blocks - 1))
        self.norm = nn.BatchNorm2d(widths[3])
        self.linear = Float32Linear(widths[3], outputs)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.groups(self.stem((images - self.mean) / self.std))
        activated = functional.relu(self.norm(hidden), inplace=True)
        logits: Tensor = self.linear(functional.avg_pool2d(activated, 8).flatten(1))
        return logits
