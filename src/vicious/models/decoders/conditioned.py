"""The study's attack model (mirror), which reads standardised outputs and is trained by a schedule of its own.

Mean and deviation are of what the frozen target model sends for the attacker's training images: input normalisation as
in LeCun, Bottou, Orr and Müller, "Efficient backprop" (1998), section 4.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vicious.models.decoders import mirror
from vicious.models.depth import Settings as Sized
from vicious.models.own_schedule import OwnSchedule, own_schedule
from vicious.models.size import Size

if TYPE_CHECKING:
    from torch import nn

    from vicious.models.fitting import Pairs
    from vicious.models.schedule import Schedule


class Settings(OwnSchedule, Sized):
    """Size of the network, and how it is trained."""

    epochs: int = Field(12, ge=1, le=1_000_000, description="passes over all training images")
    batch_images: int = Field(64, ge=2, le=100_000, description="images in a batch")
    learning_rate: float = Field(0.003, gt=0, allow_inf_nan=False, description="the largest, of Adam")


def build(settings: Settings, channels: int, length: int) -> nn.Module:
    """G with fresh weights, before it is conditioned."""
    from torch import nn

    from vicious.models.decoders._standardised import Conditioned

    return nn.Sequential(Conditioned(length), mirror.build(settings, channels, length))


def condition(settings: Settings, network: Any, train: Pairs) -> None:
    """Take mean and deviation of what is read."""
    network[0].condition(train)


def condition_flops(settings: Settings, images: int, channels: int, length: int) -> float:
    """Of mean and deviation."""
    return 4.0 * images * length


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost."""
    yield from mirror.layers(settings, channels, length)


def schedule(settings: Settings, schedule: Schedule) -> Schedule:
    """In place of the study's."""
    return own_schedule(settings, schedule)
