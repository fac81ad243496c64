"""Names of the splits and the size of prepared images: all that training needs to know of how data are laid out."""

from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SIDE = 32
"""Height and width, in pixels, of every prepared image."""
