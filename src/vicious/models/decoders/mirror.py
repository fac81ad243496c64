"""The study's attack model: its target model mirrored, with transposed convolutions (arXiv 2212.04223, public code)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vicious.models.depth import Settings, blocks_per_group
from vicious.models.size import Size, convolution, linear, norm

if TYPE_CHECKING:
    from torch import nn

SEED_SIDE = 4
KERNELS = ((4, 1), (4, 2), (4, 2))
"""Of each group's first block, which doubles the side: of its first convolution and of its shortcut."""


def channels_of_groups(width: int) -> tuple[int, int, int, int]:
    """Channels of the seed and of the three groups; with width 1 a last group of 16 would not change its input's."""
    return 64 * width, 32 * width, 16 * width, 8 if width == 1 else 16


def build(settings: Settings, channels: int, length: int) -> nn.Module:
    """G with fresh weights."""
    from vicious.models.decoders._mirror import AttackModel

    return AttackModel(blocks_per_group(settings.depth), channels_of_groups(settings.width), channels, length)


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost; groups have maps of side 8, 16 and 32."""
    (inside, *groups), side = channels_of_groups(settings.width), SEED_SIDE
    yield linear(length, inside * side**2)
    for outside, (kernel, shortcut) in zip(groups, KERNELS, strict=True):
        yield norm(inside, side)
        yield convolution(inside, outside, kernel, 2 * side, side_in=side)
        yield convolution(inside, outside, shortcut, 2 * side, side_in=side)
        inside, side = outside, 2 * side
        yield norm(inside, side)
        yield convolution(inside, inside, 3, side)
        for _ in range(2 * (blocks_per_group(settings.depth) - 1)):
            yield norm(inside, side)
            yield convolution(inside, inside, 3, side)
    yield convolution(inside, channels, 3, side)
