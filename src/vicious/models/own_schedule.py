"""The settings of attack models that are trained by a schedule of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from vicious.models.architecture import ModelSettings
from vicious.system.settings import Count, Decay, Positive, RateShape

if TYPE_CHECKING:
    from vicious.models.schedule import Schedule


class OwnSchedule(ModelSettings):
    """How the attack model is trained, whatever the study's schedule is."""

    epochs: Count = Field(description="passes over all training images")
    batch_images: Count = Field(description="images in a batch")
    learning_rate: Positive = Field(description="of Adam; the largest, where it changes")
    rate: RateShape = Field("one_cycle", description="how the learning rate changes")
    augmented: bool = Field(False, description="each image of a batch comes with one augmented copy")
    average: Decay = Field(0.0, description="decay of a moving average of the weights; 0: none")


def own_schedule(settings: OwnSchedule, schedule: Schedule) -> Schedule:
    """The schedule in place of the study's, of which the seed and the precision stay."""
    return replace(
        schedule,
        epochs=settings.epochs,
        batch_images=settings.batch_images,
        learning_rate=settings.learning_rate,
        epoch_images=None,
        rate=settings.rate,
        augmented=settings.augmented,
        average=settings.average,
    )
