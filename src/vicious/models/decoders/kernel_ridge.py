"""Ridge regression with a Gaussian kernel, in closed form: an attack without chance, in a minute or two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vicious.data.splits import SIDE
from vicious.models.architecture import ModelSettings
from vicious.models.fitting import PENALTIES, WIDTHS, components_flops
from vicious.models.size import Size

if TYPE_CHECKING:
    from vicious.models.decoders._ridge import KernelRidge
    from vicious.models.fitting import Pairs

BUDGET = "landmarks"


class Settings(ModelSettings):
    """Size of the attack model; validation images choose the kernel's width and the penalty."""

    landmarks: int = Field(2000, ge=1, le=20_000, description="images around which kernels lie; with fewer, all")
    kernel_components: int = Field(256, ge=1, le=3072, description="principal components of the images it can show")


def build(settings: Settings, channels: int, length: int) -> KernelRidge:
    """G before it is fitted."""
    from vicious.models.decoders._ridge import KernelRidge

    return KernelRidge(channels, length, settings.landmarks, _components(settings, channels))


def layers(settings: Settings, channels: int, length: int) -> Iterator[Size]:
    """Each layer's cost."""
    pixels, components = channels * SIDE**2, _components(settings, channels)
    yield Size(0, 2 * length * settings.landmarks, 0, 1)
    yield Size(settings.landmarks * components, 2 * settings.landmarks * components, 0, 1)
    yield Size((components + 1) * pixels, 2 * components * pixels, 0, 1)


def fit(
    settings: Settings, network: Any, train: Pairs, validation: Pairs, seed: int, tried: Callable[[int, int], None]
) -> None:
    """Fit the network, around landmarks that the seed draws; ``tried`` is told how many widths of how many are done."""
    import torch

    from vicious.models.decoders._ridge import fit_kernel

    landmarks = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[: settings.landmarks]
    done = iter(range(1, len(WIDTHS) + 1))
    fit_kernel(network, train, validation, landmarks, lambda: tried(next(done), len(WIDTHS)))


def fit_flops(settings: Settings, images: int, channels: int, length: int) -> float:
    """Of a fit on so many images: components, products of kernels and solutions, for each width and penalty."""
    pixels, landmarks = channels * SIDE**2, min(images, settings.landmarks)
    products = 0.0 if images <= settings.landmarks else 2.0 * images * landmarks**2
    solutions = len(PENALTIES) * landmarks**2 * (landmarks / 3 + 2 * _components(settings, channels))
    components = components_flops(images, pixels, _components(settings, channels))
    return components + len(WIDTHS) * (products + solutions)


def _components(settings: Settings, channels: int) -> int:
    return min(settings.kernel_components, channels * SIDE**2)
