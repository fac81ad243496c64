"""The network of :mod:`vicious.models.decoders.mirror`.

Architecture: the study of vicious classifiers (arXiv 2212.04223) and its public code.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vicious.models.precision import Float32Linear


def _shortcut(channels_in: int, channels_out: int, group: int) -> nn.ConvTranspose2d:
    """The transposed convolution that doubles the side beside a group's first block."""
    kernel, stride, padding = (1, 3, 1) if group == 0 else (2, 2, 0)
    return nn.ConvTranspose2d(channels_in, channels_out, kernel, stride, padding, bias=False)


class TransposedBlock(nn.Module):
    """BatchNorm, ReLU, transposed convolution, twice, plus a shortcut; ``group`` doubles the side where it is given.

    Maps that no backward pass needs are overwritten, as in the target model.
    """

    def __init__(self, channels_in: int, channels_out: int, group: int | None) -> None:
        super().__init__()
        kernel, stride = (3, 1) if group is None else (4, 2)
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.ConvTranspose2d(channels_in, channels_out, kernel, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.ConvTranspose2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.shortcut = None if group is None else _shortcut(channels_in, channels_out, group)

    def forward(self, x: Tensor) -> Tensor:
        activated = functional.relu(self.norm1(x), inplace=True)
        residual: Tensor = self.conv2(functional.relu(self.norm2(self.conv1(activated)), inplace=True))
        return residual.add_(x if self.shortcut is None else self.shortcut(activated))


class AttackModel(nn.Module):
    """Decoder G, (N, inputs) -> images (N, channels, 32, 32) in (0, 1): so many residual ``blocks`` in each of three
    groups; ``widths`` are the channels of the seed and of the groups, ``inputs`` counts the numbers that
    :func:`vicious.mitigations.readable` gives."""

    def __init__(self, blocks: int, widths: Sequence[int], channels: int, inputs: int) -> None:
        super().__init__()
        self.linear = Float32Linear(inputs, widths[0] * 16)
        self.groups = nn.Sequential()
        for group, (inside, outside) in enumerate(pairwise(widths)):
            self.groups.append(TransposedBlock(inside, outside, group))
            self.groups.extend(TransposedBlock(outside, outside, None) for _ in range(blocks - 1))
        self.last = nn.ConvTranspose2d(widths[3], channels, 3, padding=1, bias=False)

    def forward(self, read: Tensor) -> Tensor:
        seed = self.linear(read).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        return torch.sigmoid(self.last(self.groups(seed)).float())
