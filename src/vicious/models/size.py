"""What a network costs for one image, summed over its layers in closed form: planning a study needs no PyTorch.

A multiplication with its addition counts as two FLOPs, as in torch.utils.flop_counter; normalisation and activation
functions count none.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

FLOAT = 4
"""Bytes of a float32."""


@dataclass(frozen=True)
class Size:
    """The cost of a layer or a network. Sizes add up: ``sum(layers, Size())``.

    Attributes:
        parameters: trainable numbers.
        flops: of one image's forward pass.
        activations: bytes that layers put out for one image, which training keeps.
        layers: number of convolutions and linear layers.
    """

    parameters: int = 0
    flops: int = 0
    activations: int = 0
    layers: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))


def linear(inside: int, outside: int) -> Size:
    """A linear layer with a bias."""
    return Size((inside + 1) * outside, 2 * inside * outside, FLOAT * outside, 1)


def convolution(inside: int, outside: int, kernel: int, side: int, side_in: int | None = None) -> Size:
    """A convolution without bias to a map of ``side``; with ``side_in`` a transposed one, from a map of that side."""
    weights = inside * outside * kernel**2
    return Size(weights, 2 * weights * (side if side_in is None else side_in) ** 2, FLOAT * outside * side**2, 1)


def norm(channels: int, side: int) -> Size:
    """A batch normalisation of a map, with a factor and an offset for each channel."""
    return Size(2 * channels, 0, FLOAT * channels * side**2)


def kept(channels: int, side: int) -> Size:
    """A map that is kept and costs nothing else."""
    return Size(activations=FLOAT * channels * side**2)
