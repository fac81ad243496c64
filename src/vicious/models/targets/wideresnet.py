"""The study's target model: a pre-activation WideResNet (Zagoruyko and Komodakis, 2016; arXiv 2212.04223)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vicious.models.depth import Settings, blocks_per_group
from vicious.models.size import Size, convolution, linear, norm

if TYPE_CHECKING:
    from torch import nn

STEM_CHANNELS = 16


def channels_of_groups(width: int) -> tuple[int, int, int, int]:
    """Channels of the stem and of the three groups."""
    return STEM_CHANNELS, 16 * width, 32 * width, 64 * width


def build(settings: Settings, channels: int, length: int) -> nn.Module:
    """F with fresh weights."""
    from vicious.models.targets._wideresnet import TargetModel

    return TargetModel(blocks_per_group(settings.depth), channels_of_groups(settings.width), channels, length)


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost; groups have maps of side 32, 16 and 8."""
    inside, side = STEM_CHANNELS, 32
    yield convolution(channels, inside, 3, side)
    for group, outside in enumerate(channels_of_groups(settings.width)[1:]):
        for _ in range(blocks_per_group(settings.depth)):
            yield norm(inside, side)
            side = 32 >> group
            yield convolution(inside, outside, 3, side)
            yield norm(outside, side)
            yield convolution(outside, outside, 3, side)
            if inside != outside:
                yield convolution(inside, outside, 1, side)
            inside = outside
    yield norm(inside, side)
    yield linear(inside, length)
