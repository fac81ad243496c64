"""Other ways to train an honest model, so that a detector can be told from one that dislikes a recipe.

A detector that calls an honest model vicious because it is deeper, or was trained without augmentation, is of no use. Each recipe
changes one thing of the study's own training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # planning a study reads recipes, and must not wait for PyTorch
    from vicious.training.loop import Schedule


@dataclass(frozen=True)
class Recipe:
    """What differs from the study's own training of an honest model.

    Attributes:
        deeper: layers more, a multiple of 6.
        wider: factor on the width.
        longer: factor on the epochs.
        augmented: whether each image is joined by an augmented copy.
        label_smoothing: share of the target probability that is spread over all classes (Szegedy et al., "Rethinking the
            Inception architecture", 2016); for attributes, drawn towards a half.
        weight_decay: decoupled, of Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), at this
            learning rate.
    """

    deeper: int = 0
    wider: int = 1
    longer: int = 1
    augmented: bool = True
    label_smoothing: float = 0.0
    weight_decay: float = 0.0

    def depth(self, depth: int) -> int:
        """The number of layers in place of ``depth``."""
        return depth + self.deeper

    def width(self, width: int) -> int:
        """The factor on channels in place of ``width``."""
        return width * self.wider

    def schedule(self, schedule: Schedule) -> Schedule:
        """The schedule in place of the study's own."""
        return replace(schedule, epochs=schedule.epochs * self.longer)


STANDARD = Recipe()
"""The study's own."""
RECIPES = {
    "deeper": Recipe(deeper=6),
    "wider": Recipe(wider=2),
    "longer": Recipe(longer=2),
    "plain": Recipe(augmented=False),
    "smoothed": Recipe(label_smoothing=0.1),
    "decayed": Recipe(weight_decay=0.05),
}
"""By name, as in params.yaml and in paths."""
