"""The networks of :mod:`vicious.models.decoders.linear_ridge` and :mod:`vicious.models.decoders.kernel_ridge`, and how
they are fitted: least squares in float64, with the penalty, and the kernel's width, that validation images choose.

Source: Saunders, Gammerman and Vovk, "Ridge regression learning algorithm in dual variables" (1998). With more images
than landmarks it is Nyström's approximation: Rudi, Camoriano and Rosasco, "Less is more: Nyström computational
regularization" (2015), equation 5.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from vicious.data.splits import SIDE
from vicious.models.decoders._principal import CHUNK, mean_image, principal_components
from vicious.models.decoders._standardised import Standardised
from vicious.models.fitting import PENALTIES, WIDTHS, Pairs

Found = TypeVar("Found")
JITTER = 1e-11
"""Of the mean diagonal, added to it, so that rounding makes no matrix indefinite."""


class LinearRidge(nn.Module):
    """An affine map to pixels, (N, L) -> images (N, channels, 32, 32) in [0, 1]."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.channels = channels
        self.inputs = Standardised(length)
        self.weights = nn.Parameter(torch.zeros(length, channels * SIDE**2))
        self.mean = nn.Parameter(torch.zeros(channels * SIDE**2))

    def forward(self, read: Tensor) -> Tensor:
        return _images(self.mean + self.inputs(read) @ self.weights, self.channels)


class KernelRidge(nn.Module):
    """A sum of Gaussian kernels around landmarks, as coordinates of images along their principal components: (N, L) ->
    images (N, channels, 32, 32) in [0, 1]. Landmarks that there are no images for have the weight 0."""

    width: Tensor
    landmarks: Tensor

    def __init__(self, channels: int, length: int, landmarks: int, components: int) -> None:
        super().__init__()
        self.channels = channels
        self.inputs = Standardised(length)
        self.register_buffer("width", torch.ones(()))
        self.register_buffer("landmarks", torch.zeros(landmarks, length))
        self.weights = nn.Parameter(torch.zeros(landmarks, components))
        self.components = nn.Parameter(torch.zeros(components, channels * SIDE**2))
        self.mean = nn.Parameter(torch.zeros(channels * SIDE**2))

    def forward(self, read: Tensor) -> Tensor:
        near = kernel(self.inputs(read), self.landmarks, self.width)
        return _images(self.mean + near @ self.weights @ self.components, self.channels)


def _images(pixels: Tensor, channels: int) -> Tensor:
    images: Tensor = pixels.clamp(0, 1).unflatten(1, (channels, SIDE, SIDE))
    return images


def kernel(rows: Tensor, others: Tensor, width: Tensor | float) -> Tensor:
    """exp(-|a - b|^2 / (2 width)) of each row (N, L) and each other one (M, L), (N, M)."""
    squares: Tensor = rows.square().sum(1, keepdim=True) + others.square().sum(1) - 2 * rows @ others.T
    return (-squares.clamp_min(0) / (2 * width)).exp()


@torch.no_grad()
def fit_linear(network: LinearRidge, train: Pairs, validation: Pairs, tried: Callable[[], None]) -> None:
    """Fit all images; ``tried`` is called after each penalty."""
    network.inputs.take(train.read)
    mean = mean_image(train)
    inputs = network.inputs.double()(train.read.double())
    gram = inputs.T @ inputs
    cross = sum(
        (inputs[part].T @ (train.some(part).pixels() - mean) for part in torch.arange(len(train)).split(CHUNK)),
        torch.zeros(inputs.shape[1], len(mean), dtype=torch.float64),
    )
    judged, truth = network.inputs(validation.read.double()), validation.pixels()

    def candidates() -> Iterable[tuple[float, Tensor]]:
        for penalty in PENALTIES:
            weights = _solve(gram + penalty * len(train) * torch.eye(len(gram), dtype=torch.float64), cross)
            yield _error(mean + judged @ weights, truth), weights
            tried()

    network.weights.copy_(_best(candidates()))
    network.mean.copy_(mean)
    network.float()


@torch.no_grad()
def fit_kernel(
    network: KernelRidge, train: Pairs, validation: Pairs, landmarks: Tensor, tried: Callable[[], None]
) -> None:
    """Fit all images around those of the indices ``landmarks``; ``tried`` is called after each width."""
    network.inputs.take(train.read)
    standardised = network.inputs.double()
    inputs, judged = standardised(train.read.double()), standardised(validation.read.double())
    middle, mean, truth = inputs[landmarks], mean_image(train), validation.pixels()
    basis, _ = principal_components(train, mean, len(network.components))
    targets = torch.cat(
        [(train.some(part).pixels() - mean) @ basis.T for part in torch.arange(len(train)).split(CHUNK)]
    )
    exact = len(landmarks) == len(train)
    typical = float(torch.pdist(middle[:CHUNK]).square().median()) if len(middle) > 1 else 1.0

    def candidates() -> Iterable[tuple[float, tuple[float, Tensor]]]:
        for factor in WIDTHS:
            width = factor * max(typical, 1e-12)
            own, near = kernel(middle, middle, width), kernel(judged, middle, width)
            if exact:
                left, right, ridge = own, targets[landmarks], torch.eye(len(own), dtype=torch.float64)
            else:
                left, right, ridge = torch.zeros_like(own), torch.zeros(len(own), len(basis)).double(), own
                for part in torch.arange(len(train)).split(CHUNK):
                    rows = kernel(inputs[part], middle, width)
                    left += rows.T @ rows
                    right += rows.T @ targets[part]
            for penalty in PENALTIES:
                weights = _solve(left + penalty * len(train) * ridge, right)
                yield _error(mean + near @ weights @ basis, truth), (width, weights)
            tried()

    width, weights = _best(candidates())
    network.width.fill_(width)
    network.landmarks[: len(middle)] = middle
    network.weights[: len(weights), : len(basis)] = weights
    network.components[: len(basis)] = basis
    network.mean.copy_(mean)
    network.float()


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution of a symmetric, positive system; of the nearest such that rounding leaves."""
    diagonal = torch.eye(len(matrix), dtype=matrix.dtype) * matrix.diagonal().mean()
    for jitter in (JITTER, 1e3 * JITTER, 1e6 * JITTER):
        factor, info = torch.linalg.cholesky_ex(matrix + jitter * diagonal)
        if not info.any():
            found: Tensor = torch.cholesky_solve(right, factor)
            return found
    nearest: Tensor = torch.linalg.lstsq(matrix, right).solution
    return nearest


def _error(images: Tensor, truth: Tensor) -> float:
    return float((images.clamp(0, 1) - truth).square().mean())


def _best(candidates: Iterable[tuple[float, Found]]) -> Found:
    """What has the smallest error."""
    return min(candidates, key=lambda one: one[0])[1]
