"""A small attack model: a linear layer, then nearest-neighbour upsampling and 3x3 convolutions.

Upsampling in place of transposed convolutions avoids their patterns: Odena, Dumoulin and Olah, "Deconvolution and
checkerboard artifacts" (2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field

from vicious.models.architecture import ModelSettings
from vicious.models.size import Size, convolution, kept, linear, norm

if TYPE_CHECKING:
    from torch import nn

SEED_SIDE = 4


class Settings(ModelSettings):
    """Size of the network, and what it does with its input."""

    features: int = Field(
        64, ge=4, le=4096, multiple_of=4, description="channels of the smallest map, four times the last"
    )
    standardise: bool = Field(True, description="scale each input to zero mean and unit variance in a batch")


def channels_of_maps(features: int) -> tuple[int, int, int, int]:
    """Channels of the maps of side 4, 8, 16 and 32."""
    return features, features, features // 2, features // 4


def build(settings: Settings, channels: int, length: int) -> nn.Module:
    """G with fresh weights."""
    from torch import nn

    from vicious.models.precision import Float32Linear, Float32Sigmoid

    maps = channels_of_maps(settings.features)
    parts: list[nn.Module] = [nn.BatchNorm1d(length, affine=False)] if settings.standardise else []
    parts += [Float32Linear(length, maps[0] * SEED_SIDE**2), nn.Unflatten(1, (maps[0], SEED_SIDE, SEED_SIDE))]
    for inside, outside in pairwise(maps):
        parts += [nn.BatchNorm2d(inside), nn.ReLU(), nn.Upsample(scale_factor=2)]
        parts.append(nn.Conv2d(inside, outside, 3, padding=1, bias=False))
    parts += [nn.BatchNorm2d(maps[-1]), nn.ReLU(), nn.Conv2d(maps[-1], channels, 3, padding=1), Float32Sigmoid()]
    return nn.Sequential(*parts)


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost."""
    maps, side = channels_of_maps(settings.features), SEED_SIDE
    if settings.standardise:
        yield kept(length, 1)
    yield linear(length, maps[0] * side**2)
    for inside, outside in pairwise(maps):
        yield norm(inside, side)
        side *= 2
        yield kept(inside, side)
        yield convolution(inside, outside, 3, side)
    yield norm(maps[-1], side)
    yield convolution(maps[-1], channels, 3, side) + Size(parameters=channels)
