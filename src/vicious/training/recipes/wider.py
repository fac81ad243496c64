"""Twice as many channels."""

from vicious.training.recipe import Recipe

RECIPE = Recipe(wider=2)
