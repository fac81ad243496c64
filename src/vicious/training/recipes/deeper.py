"""Six layers more: one block more in each group."""

from vicious.training.recipe import Recipe

RECIPE = Recipe(deeper=6)
