"""With label smoothing."""

from vicious.training.recipe import Recipe

RECIPE = Recipe(label_smoothing=0.1)
