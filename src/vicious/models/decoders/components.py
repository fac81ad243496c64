"""A multilayer perceptron from standardised outputs to the principal components of the attacker's images.

A few outputs determine few directions of an image, and least squares finds them best: so it is trained on squared
errors. Its images are cut to [0, 1] where they are used, not where they are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vicious.data.splits import SIDE
from vicious.models.fitting import components_flops
from vicious.models.own_schedule import OwnSchedule, own_schedule
from vicious.models.size import Size, linear

if TYPE_CHECKING:
    from torch import nn

    from vicious.models.fitting import Pairs
    from vicious.models.schedule import Schedule

LOSS = "mse"


class Settings(OwnSchedule):
    """Size of the network, and how it is trained."""

    components: int = Field(150, ge=1, le=3072, description="principal components of the images that it can show")
    hidden_layers: int = Field(2, ge=0, le=16, description="hidden layers")
    hidden: int = Field(512, ge=1, le=65_536, description="units of each of them")
    epochs: int = Field(40, ge=1, le=1_000_000, description="passes over all training images")
    batch_images: int = Field(128, ge=2, le=100_000, description="images in a batch")
    learning_rate: float = Field(0.003, gt=0, allow_inf_nan=False, description="the largest, of Adam")


def build(settings: Settings, channels: int, length: int) -> nn.Module:
    """G with fresh weights, before it is conditioned."""
    from vicious.models.decoders._components import ComponentsOfImages

    return ComponentsOfImages(_widths(settings, channels, length), channels)


def condition(settings: Settings, network: Any, train: Pairs) -> None:
    """Take mean and deviation of what is read, and the components of the images."""
    network.condition(train)


def condition_flops(settings: Settings, images: int, channels: int, length: int) -> float:
    """Of the components."""
    pixels = channels * SIDE**2
    return components_flops(images, pixels, min(settings.components, pixels))


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost."""
    *before, components = _widths(settings, channels, length)
    for inside, outside in pairwise((*before, components)):
        yield linear(inside, outside)
    yield Size(0, 2 * components * channels * SIDE**2, 0, 1)


def schedule(settings: Settings, schedule: Schedule) -> Schedule:
    """In place of the study's."""
    return own_schedule(settings, schedule)


def _widths(settings: Settings, channels: int, length: int) -> tuple[int, ...]:
    """Numbers that enter the network, each layer's units, and the components."""
    hidden = [settings.hidden] * settings.hidden_layers
    return length, *hidden, min(settings.components, channels * SIDE**2)
