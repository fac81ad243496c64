"""The network of :mod:`vicious.models.decoders.components`."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from vicious.data.splits import SIDE
from vicious.models.decoders._principal import mean_image, principal_components
from vicious.models.decoders._standardised import Conditioned
from vicious.models.fitting import Pairs
from vicious.models.precision import Float32Linear, in_float32


class ComponentsOfImages(nn.Module):
    """(N, L) -> images (N, channels, 32, 32), any numbers while it is trained, in [0, 1] otherwise.

    ``basis`` has the principal components as rows, each times the deviation of the images along it, so that what the
    layers give has unit variance.

    Args:
        widths: numbers that enter, units of each layer, number of components.
    """

    basis: Tensor
    mean: Tensor

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.inputs = Conditioned(widths[0])
        self.layers = nn.Sequential()
        for inside, outside in pairwise(widths[:-1]):
            self.layers.extend((Float32Linear(inside, outside), nn.GELU()))
        self.layers.append(Float32Linear(widths[-2], widths[-1]))
        self.register_buffer("basis", torch.zeros(widths[-1], channels * SIDE**2))
        self.register_buffer("mean", torch.zeros(channels * SIDE**2))

    @torch.no_grad()
    def condition(self, train: Pairs) -> None:
        """Take what the layers read and what they show of the training images; with fewer images than components the
        rest is 0."""
        self.inputs.condition(train)
        mean = mean_image(train)
        vectors, squares = principal_components(train, mean, len(self.basis))
        self.mean.copy_(mean)
        self.basis.copy_(vectors * (squares / len(train)).sqrt().unsqueeze(1))

    def forward(self, read: Tensor) -> Tensor:
        codes = self.layers(self.inputs(read))
        with in_float32(read.device.type):
            pixels = self.mean + codes.float() @ self.basis
        images: Tensor = pixels.unflatten(1, (self.channels, SIDE, SIDE))
        return images if self.training else images.clamp(0, 1)
