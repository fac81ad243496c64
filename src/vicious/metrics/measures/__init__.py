"""Measures of image quality, registered by being there: one file each, whose name is the measure's name and column.

Each file has a function of its own name, (N, C, H, W) and (N, C, H, W) in [0, 1] -> (N,), that measures each image
alone, and states ``UNIT`` ("" for none), ``LOW`` and ``HIGH``, the range of its values, and ``CLOSER``: 1.0 where
larger means more alike, -1.0 where smaller does. Listing and reading these needs no PyTorch.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from vicious.system import registry


def names() -> tuple[str, ...]:
    """The names of all measures, in the order of their columns."""
    return registry.names(__name__)


def facts(name: str) -> ModuleType:
    """The file of a measure, for its ``UNIT``, ``LOW``, ``HIGH`` and ``CLOSER``."""
    return registry.find(__name__, name, name, "UNIT", "LOW", "HIGH", "CLOSER")


def function(name: str) -> Callable[[Any, Any], Any]:
    """The function that measures: two batches (N, C, H, W) -> (N,)."""
    found: Callable[[Any, Any], Any] = getattr(facts(name), name)
    return found
