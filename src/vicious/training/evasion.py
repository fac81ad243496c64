"""An adaptive vicious server: a penalty on what a user's detector would find.

It can be one of two detectors or both, :data:`PENALTIES`. Both penalties are the detector's own quantity beyond the true label, not
beyond the predicted one as for the user: the server knows it, and so the penalty leaves the classification alone.

Linear decodability (:mod:`vicious.defense.linear_decodability`) is the share of the pixels' variance that the best linear
decoder explains from the logits beyond the label. The server plays against that decoder. In each step it is fitted
anew, by ridge regression on exponentially weighted moments of earlier batches, so the penalty is what it explains of images that it
was not fitted on, as for the detector. Since the decoder is optimal, the gradient through its fit vanishes (the envelope
theorem), and only that through the logits is taken.

Distance correlation (:mod:`vicious.defense.distance_correlation`) compares images of one class with each other, of which a
batch has too few. So recent rows stand beside those of the batch, as constants: the gradient is that of the batch's rows
alone. The memory is short, since rows of a network that has changed since lie elsewhere, whatever they show. The value is
below the detector's: logits are standardised within few rows, and batches that are normalised by themselves add noise to them.
A step takes the square of the number of rows, remembered ones included: a tenth more for 10 classes, more for many.

The penalty's weight grows from 0 in the first epoch to its full size in the last: before the classes are apart, what tells
them apart also tells images of one class apart, and the penalty would keep the model from learning them.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from vicious.training.loop import below

SIDE = 8
"""Images are averaged to this side: a linear decoder finds little that is finer, and it hardly changes distances."""
MEMORY = 0.99
"""How much of the moments of earlier batches is kept from one batch to the next."""
RECENT = 16
"""Most rows of a group that are remembered."""
REMEMBERED = 2048
"""Most rows that are remembered."""
ROWS_PER_ATTRIBUTE = 4
"""The same where labels are attributes, for each of these."""
SMALLEST = 4
"""Rows that a group must have to count: the correction for bias needs so many."""


class Penalty(Protocol):
    """A penalty of one epoch, with what it remembers of earlier batches."""

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """A scalar with a gradient. Shapes: logits (N, K), labels (N,) or (N, K), images (N, C, H, W)."""

    def carried(self) -> dict[str, Tensor]:
        """What it remembers, by name; later batches replace these tensors and never change them."""

    def restore(self, carried: dict[str, Tensor]) -> None:
        """Remember that, on the device of the batches to come."""


class Decodability:
    """The share that a linear decoder explains, batch after batch; its moments begin anew with each object."""

    def __init__(self) -> None:
        self._sums: tuple[Tensor, Tensor] | None = None
        self._rows = 0.0

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """The share, a scalar in [0, 1] with a gradient; 0 for the first batch.

        Shapes: logits (N, K), labels (N,) or (N, K), images (N, C, H, W).
        """
        label = (functional.one_hot(labels, logits.shape[1]) if labels.ndim == 1 else labels).to(logits)
        constant = torch.ones_like(label[:, :1])
        features = torch.cat([constant, label, logits], dim=1)
        pixels = functional.adaptive_avg_pool2d(images, SIDE).flatten(1)
        share = logits.new_zeros(()) if self._sums is None else self._share(features, pixels, label.shape[1] + 1)
        self._remember(features.detach().double(), pixels.double())
        return share

    def _share(self, features: Tensor, pixels: Tensor, known: int) -> Tensor:
        """What all features explain beyond the first ``known`` ones."""
        assert self._sums is not None
        squares = self._sums[0]
        told = squares[:known, known:]
        # What the label leaves of each logit: a code that is small beside the classes counts as a large one does.
        left = squares[known:, known:].diagonal() - (
            told * torch.linalg.solve(_regular(squares[:known, :known]), told)
        ).sum(0)
        label, both = (
            (pixels - features[:, :count] @ self._decoder(count, left).to(pixels)).square().sum()
            for count in (known, features.shape[1])
        )
        return (1 - both / label.clamp_min(1e-12)).clamp_min(0)

    def _decoder(self, count: int, left: Tensor) -> Tensor:
        """The regression of the pixels on the first ``count`` features, (count, pixels).

        The last of all features, the logits, have a ridge in units of ``left``, weak once there are many more rows than features.
        """
        assert self._sums is not None
        squares, products = self._sums[0], self._sums[1][:count]
        ridge = torch.zeros_like(squares[0])
        ridge[-len(left) :] = left.clamp_min(0) * (len(squares) / self._rows)
        return torch.linalg.solve(_regular(squares + ridge.diag())[:count, :count], products)

    def _remember(self, features: Tensor, pixels: Tensor) -> None:
        squares, products = features.T @ features, features.T @ pixels
        if self._sums is not None:
            squares, products = squares + MEMORY * self._sums[0], products + MEMORY * self._sums[1]
        self._sums, self._rows = (squares, products), MEMORY * self._rows + len(features)

    def carried(self) -> dict[str, Tensor]:
        """Moments and their weight; nothing before the first batch."""
        if self._sums is None:
            return {}
        rows = torch.tensor(self._rows, dtype=torch.float64)
        return {"squares": self._sums[0], "products": self._sums[1], "rows": rows}

    def restore(self, carried: dict[str, Tensor]) -> None:
        """Go on from such moments."""
        if carried:
            self._sums, self._rows = (carried["squares"], carried["products"]), carried["rows"].item()


class DistanceCorrelation:
    """The bias-corrected squared distance correlation of logits and images within classes; its memory begins anew with each object.

    A group is a class among the images, or among their augmented copies. So an image never meets its own copy: the two lie close to
    each other in any network, and a user has no such pairs. Numerator and denominator are summed over groups, as by the
    detector over classes.

    Attributes are, as for the detector, one group (and one of copies) of what they leave of the logits, by least squares on a
    constant and the attributes. That takes more rows than there are attributes, so more are remembered.
    """

    def __init__(self) -> None:
        self._recent: tuple[Tensor, ...] | None = None

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """The correlation, a scalar of at most 1 with a gradient, negative by chance; 0 where no group has enough rows, or they
        do not differ.

        Shapes: logits (N, K), labels (N,) or (N, K), images (N, C, H, W). The latter half are the copies; where there are none, a
        class is two groups, which is as sound.
        """
        copies = 2 * torch.arange(len(logits), device=logits.device) >= len(logits)
        group = copies + (2 * labels if labels.ndim == 1 else 0)
        pixels = functional.adaptive_avg_pool2d(images, SIDE).flatten(1)
        now = (logits.double(), labels, pixels.double(), group)
        rows = now if self._recent is None else tuple(map(torch.cat, zip(now, self._recent, strict=True)))
        self._remember(rows)
        return _correlation(*(each[torch.isin(rows[-1], group)] for each in rows))

    def _remember(self, rows: tuple[Tensor, ...]) -> None:
        """Keep the newest rows, which come first, of each group."""
        labels, group = rows[1], rows[-1]
        most = RECENT if labels.ndim == 1 else max(RECENT, ROWS_PER_ATTRIBUTE * labels.shape[1])
        ordered, order = group.sort(stable=True)
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device) - torch.searchsorted(ordered, ordered)
        kept = (place < most).nonzero().flatten()[:REMEMBERED]
        self._recent = tuple(each[kept].detach() for each in rows)

    def carried(self) -> dict[str, Tensor]:
        """The remembered rows; nothing before the first batch."""
        return {str(index): each for index, each in enumerate(self._recent or ())}

    def restore(self, carried: dict[str, Tensor]) -> None:
        """Go on with such rows."""
        if carried:
            self._recent = tuple(carried[str(index)] for index in range(len(carried)))


def _correlation(logits: Tensor, labels: Tensor, pixels: Tensor, group: Tensor) -> Tensor:
    """The correlation of rows that are compared within groups (N,)."""
    if labels.ndim == 1:
        others = torch.ones_like(logits)
        if logits.shape[1] > 2:  # without the class's own, as the detector
            others = others - functional.one_hot(labels, logits.shape[1])
        # A shift of all logits tells no class.
        x = (logits - (logits * others).sum(1, keepdim=True) / others.sum(1, keepdim=True)) * others
    else:
        x = _left(logits, torch.cat([group[:, None] == group.unique(), labels], dim=1).double())
    enough = (group[:, None] == group).sum(1) >= SMALLEST
    x, pixels, group = x[enough], pixels[enough], group[enough]
    same = (group[:, None] == group).double()
    a, b = _centred(_standardised(x, same), same), _centred(pixels, same)
    size = ((a * a).sum() * (b * b).sum()).clamp_min(1e-24).sqrt()
    return ((a * b).sum() / size).float()


def _left(x: Tensor, features: Tensor) -> Tensor:
    """What least squares on features (N, F) leaves of x (N, K)."""
    told = torch.linalg.solve(_regular(features.T @ features), features.T @ x)
    return x - features @ told


def _standardised(x: Tensor, same: Tensor) -> Tensor:
    """Zero mean and unit variance per output within groups, as ``same`` (N, N) tells them; a constant output becomes 0."""
    count = same.sum(1, keepdim=True)
    apart = x - same @ x / count
    variance = same @ apart.square() / count
    varies = variance > (1e-6 * (1 + x.detach().abs().amax() if len(x) else 1)) ** 2
    return torch.where(varies, apart / torch.where(varies, variance, 1).sqrt(), 0)


def _centred(rows: Tensor, same: Tensor) -> Tensor:
    """Distances (N, N), U-centred within groups of at least four: equation 2.4 of the detector's source; 0 between groups.

    Where two rows are the same the gradient of their distance is taken as 0.
    """
    squares = rows.square().sum(1)
    squared = squares[:, None] + squares - 2 * rows @ rows.T
    differ = squared > 1e-12 * (squares[:, None] + squares)
    distances = torch.where(differ, torch.where(differ, squared, 1).sqrt(), 0) * same
    count, sums = same.sum(1), distances.sum(1)
    means = sums / (count - 2)
    mean = same @ sums / ((count - 1) * (count - 2))
    others = same - torch.eye(len(rows), dtype=same.dtype, device=same.device)
    return (distances - means[:, None] - means + mean[:, None]) * others


def _regular(squares: Tensor) -> Tensor:
    """A matrix of squares that can be inverted even where a feature is constant, or the others tell it."""
    return squares + (1e-9 * squares.diagonal() + 1e-12).diag()


class Both:
    """The sum of both penalties."""

    def __init__(self) -> None:
        self._parts: tuple[Penalty, Penalty] = Decodability(), DistanceCorrelation()

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """A scalar of at most 2 with a gradient, from what each of the two takes."""
        one, other = (part(logits, labels, images) for part in self._parts)
        return one + other

    def carried(self) -> dict[str, Tensor]:
        """What the two remember."""
        return {
            f"{index}/{key}": each for index, part in enumerate(self._parts) for key, each in part.carried().items()
        }

    def restore(self, carried: dict[str, Tensor]) -> None:
        """Give it back to the two."""
        for index, part in enumerate(self._parts):
            part.restore(below(carried, f"{index}/"))


PENALTIES: dict[str, Callable[[], Penalty]] = {
    "linear_decodability": Decodability,
    "distance_correlation": DistanceCorrelation,
    "both": Both,
}
"""What a server can evade, by the detector's name: made anew for each epoch."""
