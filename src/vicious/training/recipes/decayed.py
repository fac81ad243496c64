"""With weight decay."""

from vicious.training.recipe import Recipe

RECIPE = Recipe(weight_decay=0.05)
