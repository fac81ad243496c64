"""The best affine map from outputs to pixels, by ridge regression in closed form: the least that outputs give away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from vicious.data.splits import SIDE
from vicious.models.architecture import ModelSettings
from vicious.models.fitting import PENALTIES
from vicious.models.size import Size

if TYPE_CHECKING:
    from vicious.models.decoders._ridge import LinearRidge
    from vicious.models.fitting import Pairs


class Settings(ModelSettings):
    """None: validation images choose the penalty."""


def build(settings: Settings, channels: int, length: int) -> LinearRidge:
    """G before it is fitted."""
    from vicious.models.decoders._ridge import LinearRidge

    return LinearRidge(channels, length)


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost."""
    pixels = channels * SIDE**2
    yield Size((length + 1) * pixels, 2 * length * pixels, 0, 1)


def fit(
    settings: Settings, network: Any, train: Pairs, validation: Pairs, seed: int, tried: Callable[[int, int], None]
) -> None:
    """Fit the network; ``tried`` is told how many penalties of how many are done."""
    from vicious.models.decoders._ridge import fit_linear

    done = iter(range(1, len(PENALTIES) + 1))
    fit_linear(network, train, validation, lambda: tried(next(done), len(PENALTIES)))


def fit_flops(settings: Settings, images: int, channels: int, length: int) -> float:
    """Of a fit on so many images: the products, which are most of it."""
    return 2.0 * images * length * (length + channels * SIDE**2)
