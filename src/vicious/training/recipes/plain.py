"""Without augmentation."""

from vicious.training.recipe import Recipe

RECIPE = Recipe(augmented=False)
