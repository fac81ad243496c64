"""Twice as many epochs."""

from vicious.training.recipe import Recipe

RECIPE = Recipe(longer=2)
