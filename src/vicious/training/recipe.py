"""What a recipe is: another way to train an honest model.

A detector that flags an honest model because it is deeper, or was trained without augmentation, is of no use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vicious.models.architecture import Model
from vicious.system.registry import find

if TYPE_CHECKING:
    from vicious.models.schedule import Schedule

PACKAGE = "vicious.training.recipes"


@dataclass(frozen=True)
class Recipe:
    """What differs from the study's own training of an honest model.

    Attributes:
        deeper: layers more, a multiple of 6.
        wider: factor on the width.
        longer: factor on the epochs.
        augmented: whether each image is joined by an augmented copy, if the study's schedule has them.
        label_smoothing: share of the target probability that is spread over all classes (Szegedy et al., "Rethinking
            the Inception architecture", 2016); for attributes, drawn towards a half.
        weight_decay: decoupled, of Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), at this
            learning rate.
    """

    deeper: int = 0
    wider: int = 1
    longer: int = 1
    augmented: bool = True
    label_smoothing: float = 0.0
    weight_decay: float = 0.0

    def target(self, target: Model) -> Model:
        """The target model in place of ``target``.

        Raises:
            ConfigError: it is to be deeper or wider, and has no setting ``depth`` or ``width``.
        """
        if self.deeper:
            target = target.changed(depth=getattr(target.settings, "depth", 0) + self.deeper)
        if self.wider != 1:
            target = target.changed(width=getattr(target.settings, "width", 0) * self.wider)
        return target

    def schedule(self, schedule: Schedule) -> Schedule:
        """The schedule in place of the study's own."""
        return replace(schedule, epochs=schedule.epochs * self.longer, augmented=schedule.augmented and self.augmented)


STANDARD = Recipe()
"""The study's own."""


def find_recipe(name: str | None) -> Recipe:
    """The recipe of a name out of :data:`PACKAGE`; None is the study's own."""
    recipe: Recipe = STANDARD if name is None else find(PACKAGE, name, "RECIPE").RECIPE
    return recipe
