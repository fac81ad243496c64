"""Against kernel decodability, which an audit calls the leak: the largest share of images that some kernels read.

The detector (:mod:`vicious.defense.detectors.kernel_decodability`) judges images of a user together, each by a fit to
all others. Here these are images of the batch and recent ones, as constants, averaged to 8 x 8 pixels. Both views are
penalised, the outputs and their gaps, by the kernel and ridge that read most; which one that is, is looked up anew from
time to time. The gradient of the batch's rows stands for that of all rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vicious.training.penalty import coarse

ROWS = 200
"""Images that are judged together, at most: the batch's and recent ones."""
AGAIN = 25
"""Batches after which the kernel that reads most is looked up anew."""
COMPONENTS = 10
"""Principal components of what the label leaves of images, which are what is read; as the detector has it."""
PENALTIES = (0.03, 0.3, 3.0)
"""Of the ridge regressions, times the mean diagonal of the kernel; as the detector has it."""
LABEL = 10.0
"""The label's kernel in units of the ridge; as the detector has it."""
SEVERAL = 5
"""Outputs from which on gaps are standardised image by image; as the detector has it."""
ENOUGH = 3
"""Rows of a class, on average, from which on classes are kept apart; as the detector has it."""
VIEWS = 2
"""The outputs as they are, and their gaps."""
LEAST = 1e-9
"""A variance of no more counts as none."""


class KernelDecodability:
    """The share that the best kernel reads, batch after batch.

    The two halves of a batch take turns: where the latter half are augmented copies, no image meets its own copy, from
    which it could be read.
    """

    def __init__(self) -> None:
        self._recent: tuple[Tensor, ...] | None = None  # logits, labels, pixels, other outputs
        self._calls, self._best = 0, 0

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor, others: Tensor | None = None) -> Tensor:
        """The share, a scalar of at most 1 with a gradient; 0 where labels determine the images.

        Shapes: logits (N, K), labels (N,) or (N, K), images (N, C, H, W); others (N, L), of which :meth:`of_others`
        tells the share.
        """
        label = functional.one_hot(labels, logits.shape[1]) if labels.ndim == 1 else labels
        beside = logits if others is None else others
        part = self._part(len(logits))
        now = tuple(each[part].double() for each in (logits, label, coarse(images), beside))
        kept = None if self._recent is None else tuple(each[: max(ROWS - len(now[0]), 0)] for each in self._recent)
        rows = now if kept is None else tuple(map(torch.cat, zip(now, kept, strict=True)))
        self._recent = tuple(each.detach() for each in rows)
        share = self._share(rows[0], self._known())
        self._calls += 1
        return (share.detach() + (share - share.detach()) * (len(rows[0]) / len(now[0]))).float()

    def _part(self, count: int) -> slice:
        """One half of a batch, and of it no more than :data:`ROWS`."""
        if count < 2:
            return slice(count)
        start, stop = (0, count // 2) if self._calls % 2 == 0 else (count // 2, count)
        return slice(start, min(stop, start + ROWS))

    def of_others(self) -> float:
        """The largest share that is read from the other outputs of the same rows."""
        assert self._recent is not None
        known = self._known()
        return float(1 - _tried(self._recent[3], known).min() / known.error) if known.error > LEAST else 0.0

    def _known(self) -> "_Known":
        assert self._recent is not None
        _, label, pixels, _ = self._recent
        codes, kernel = _codes(pixels, label), LABEL * _of_label(label)
        return _Known(label, codes, kernel, float(_errors(kernel, codes)) if len(label) > 1 else 0.0)

    def _share(self, logits: Tensor, known: "_Known") -> Tensor:
        if known.error <= LEAST:
            return logits.sum() * 0
        if self._calls % AGAIN == 0:
            self._best = int(_tried(logits.detach(), known).argmin())
        return 1 - _errors(_scaled(logits, known.label, self._best) + known.kernel, known.codes) / known.error

    def carried(self) -> dict[str, Tensor]:
        if self._recent is None:
            return {}
        rows = {f"rows/{index}": each for index, each in enumerate(self._recent)}
        return {**rows, "state": torch.tensor([self._calls, self._best])}

    def restore(self, carried: dict[str, Tensor]) -> None:
        if carried:
            self._calls, self._best = (int(one) for one in carried["state"])
            self._recent = tuple(carried[f"rows/{index}"] for index in range(len(carried) - 1))


@dataclass(frozen=True)
class _Known:
    """What does not depend on the outputs.

    Attributes:
        label: (n, K).
        codes: what is to be read of the images, (n, q).
        kernel: of the label, (n, n).
        error: sum of squared errors of the label alone.
    """

    label: Tensor
    codes: Tensor
    kernel: Tensor
    error: float


@torch.no_grad()
def _tried(logits: Tensor, known: _Known) -> Tensor:
    """The errors of all kernels and ridges, (m,)."""
    every = range(2 * 2 * VIEWS * len(PENALTIES))
    return torch.stack([_errors(_scaled(logits, known.label, one) + known.kernel, known.codes) for one in every])


def _codes(pixels: Tensor, label: Tensor) -> Tensor:
    """Images (n, d) along the leading principal components of what labels (n, K) leave of them, (n, 10)."""
    centred = pixels - pixels.mean(0)
    rest = _beyond(centred, label)
    values, vectors = torch.linalg.eigh(rest.T @ rest)
    left = values[-COMPONENTS:] > 1e-12 * pixels.square().sum()
    found: Tensor = centred @ (vectors[:, -COMPONENTS:] * left)
    return found


def _scaled(logits: Tensor, label: Tensor, number: int) -> Tensor:
    """A kernel (n, n) of outputs, in units of a ridge: of a view, linear or Gaussian, for all labels or for each."""
    rest, penalty = divmod(number, len(PENALTIES))
    rest, view = divmod(rest, VIEWS)
    apart, bent = divmod(rest, 2)
    seen = _gaps(logits, label) if view else _beyond(_standardised(logits), label)
    outputs = _standardised(seen)
    kernel = _gaussian(outputs) if bent else outputs @ outputs.T
    if apart:
        count = label.sum(1)
        products = label @ label.T
        kernel = kernel * ((products == count) & (products == count[:, None]))
    found: Tensor = kernel / (PENALTIES[penalty] * kernel.diagonal().mean()).clamp_min(1e-12)
    return found


def _errors(kernel: Tensor, codes: Tensor) -> Tensor:
    """Sum of squared errors of codes (n, q), each left out of a ridge regression with this kernel (n, n)."""
    rest: Tensor = torch.linalg.inv(kernel + torch.eye(len(kernel)).to(kernel))  # 1 - H
    return ((rest @ codes) / rest.diagonal().clamp_min(1e-12)[:, None]).square().sum()


def _of_label(label: Tensor) -> Tensor:
    products = label @ label.T
    return products / products.diagonal().mean().clamp_min(1e-12)


def _beyond(values: Tensor, label: Tensor) -> Tensor:
    """Rows (n, d) minus the mean of those of their class, or minus what a ridge regression on attributes explains."""
    if bool((label.sum(1) == 1).all()):
        return values - label @ ((label.T @ values) / label.sum(0).clamp_min(1)[:, None])
    kernel = LABEL * _of_label(label)
    found: Tensor = torch.linalg.solve(kernel + torch.eye(len(kernel)).to(kernel), values)
    return found


def _standardised(values: Tensor) -> Tensor:
    """Zero mean and unit variance per column; a constant one becomes 0."""
    apart = values - values.mean(0)
    variance = apart.square().mean(0)
    varies = variance > LEAST
    return torch.where(varies, apart / torch.where(varies, variance, 1).sqrt(), 0)


def _gaps(logits: Tensor, label: Tensor) -> Tensor:
    """The outputs that are not of the class, or the sizes of attributes, standardised image by image, and compared
    within a class, or a value of an attribute."""
    if bool((label.sum(1) == 1).all()):
        others = 1 - label
        count = others.sum(1, keepdim=True)
        beside = label if logits.shape[1] == 2 else others  # with two classes there is one gap
        apart = (logits - (logits * beside).sum(1, keepdim=True) / beside.sum(1, keepdim=True)) * others
        if logits.shape[1] >= SEVERAL:
            apart = apart / (apart.square().sum(1, keepdim=True) / count).clamp_min(LEAST).sqrt()
        groups = label if len(logits) >= ENOUGH * logits.shape[1] else torch.ones_like(label[:, :1])
        return _within(apart, groups)
    sizes = logits.abs()
    if logits.shape[1] >= SEVERAL:
        sizes = _standardised(sizes.T).T
    columns = range(sizes.shape[1])
    values = [torch.stack([label[:, one], 1 - label[:, one]], dim=1) for one in columns]
    return torch.cat([_within(sizes[:, one, None], values[one]) for one in columns], dim=1)


def _within(rows: Tensor, groups: Tensor) -> Tensor:
    """Rows (n, d) beyond the mean of their group, one-hot (n, G), relative to the root mean square of what is left
    there."""
    count = groups.sum(0)
    rest = rows - groups @ ((groups.T @ rows) / count.clamp_min(1)[:, None])
    size = groups.T @ rest.square().sum(1) / (count - 1).clamp_min(1)
    differ = size > LEAST
    scale = torch.where(differ, torch.where(differ, size, 1).rsqrt(), 0)
    return rest * (groups @ scale)[:, None]


def _gaussian(outputs: Tensor) -> Tensor:
    """The Gaussian kernel whose width is the median squared distance of outputs; the width has no gradient."""
    squares = outputs.square().sum(1)
    distances = (squares[:, None] + squares - 2 * outputs @ outputs.T).clamp_min(0)
    above = torch.triu_indices(len(outputs), len(outputs), 1)
    width = distances.detach()[above[0], above[1]].quantile(0.5)
    return (-distances / width).exp() if width > 0 else torch.zeros_like(distances)


PENALTY = KernelDecodability
