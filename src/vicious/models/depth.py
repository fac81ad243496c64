"""The settings that the study's two networks share: depth and width."""

from pydantic import Field

from vicious.models.architecture import ModelSettings
from vicious.system.settings import Depth, Width


def blocks_per_group(depth: int) -> int:
    """Number n of residual blocks in each of three groups, for ``depth = 6 n + 4``; raises ValueError for any other."""
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 4 (10, 16, 22, 28, ...), not {depth}")
    return blocks


class Settings(ModelSettings):
    """Size of the network."""

    depth: Depth = Field(description="number of layers, 6 n + 4")
    width: Width = Field(description="factor on the channels")
