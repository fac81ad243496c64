"""Against distance correlation: how far distances between logits follow those between images, within classes.

The detector (:mod:`vicious.defense.detectors.distance_correlation`) compares images of one class with each other, of
which a batch has too few. So recent rows stand beside those of the batch, as constants: the gradient is that of the
batch's rows alone. The memory is short, since rows of a network that has changed since lie elsewhere, whatever they
show. The value is below the detector's: logits are standardised within few rows, and batches that are normalised by
themselves add noise to them. A step takes the square of the number of rows, remembered ones included: a tenth more for
10 classes, more for many.
"""

import torch
from torch import Tensor
from torch.nn import functional

from vicious.training.penalty import coarse, regular

RECENT = 16
"""Most rows of a group that are remembered."""
REMEMBERED = 2048
"""Most rows that are remembered."""
ROWS_PER_ATTRIBUTE = 4
"""The same where labels are attributes, for each of these."""
SMALLEST = 4
"""Rows that a group must have to count: the correction for bias needs so many."""


class DistanceCorrelation:
    """The bias-corrected squared distance correlation of logits and images within classes, batch after batch.

    A group is a class among the images, or among their augmented copies. So an image never meets its own copy: the two
    lie close to each other in any network, and a user has no such pairs. Numerator and denominator are summed over
    groups, as by the detector over classes.

    Attributes are, as for the detector, one group (and one of copies) of what they leave of the logits, by least
    squares on a constant and the attributes. That takes more rows than there are attributes, so more are remembered.
    """

    def __init__(self) -> None:
        self._recent: tuple[Tensor, ...] | None = None

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """The correlation, a scalar of at most 1 with a gradient, negative by chance; 0 if too few rows differ.

        Shapes: logits (N, K), labels (N,) or (N, K), images (N, C, H, W). The latter half are the copies; where there
        are none, a class is two groups, which is as sound.
        """
        copies = 2 * torch.arange(len(logits), device=logits.device) >= len(logits)
        group = copies + (2 * labels if labels.ndim == 1 else 0)
        pixels = coarse(images)
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
        return {str(index): each for index, each in enumerate(self._recent or ())}

    def restore(self, carried: dict[str, Tensor]) -> None:
        if carried:
            self._recent = tuple(carried[str(index)] for index in range(len(carried)))


def _correlation(logits: Tensor, labels: Tensor, pixels: Tensor, group: Tensor) -> Tensor:
    """The correlation of rows that are compared within groups (N,)."""
    if labels.ndim == 1:
        others = torch.ones_like(logits)
        if logits.shape[1] > 2:  # without the class's own, as the detector
            others = others - functional.one_hot(labels, logits.shape[1])
        # A shift of all logits changes no class.
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
    weights: Tensor = torch.linalg.solve(regular(features.T @ features), features.T @ x)
    return x - features @ weights


def _standardised(x: Tensor, same: Tensor) -> Tensor:
    """Zero mean and unit variance per output within groups, given by ``same`` (N, N); a constant output becomes 0."""
    count = same.sum(1, keepdim=True)
    apart = x - same @ x / count
    variance = same @ apart.square() / count
    varies = variance > (1e-6 * (1 + x.detach().abs().amax() if len(x) else 1)) ** 2
    return torch.where(varies, apart / torch.where(varies, variance, 1).sqrt(), 0)


def _centred(rows: Tensor, same: Tensor) -> Tensor:
    """Distances (N, N), U-centred within groups of at least 4 (equation 2.4 of the detector's source), else 0.

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


PENALTY = DistanceCorrelation
