"""Against linear decodability: the share of the pixels' variance that the best linear decoder explains from the logits.

The share is that beyond the label. The server plays against that decoder
(:mod:`vicious.defense.detectors.linear_decodability`). In each step it is fitted anew, by ridge regression on
exponentially weighted moments of earlier batches, so the penalty is what it explains of images that it was not fitted
on, as for the detector. Since the decoder is optimal, the gradient through its fit vanishes (the envelope theorem), and
only that through the logits is taken.
"""

import torch
from torch import Tensor
from torch.nn import functional

from vicious.training.penalty import coarse, regular

MEMORY = 0.99
"""How much of the moments of earlier batches is kept from one batch to the next."""


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
        pixels = coarse(images)
        share = logits.new_zeros(()) if self._sums is None else self._share(features, pixels, label.shape[1] + 1)
        self._remember(features.detach().double(), pixels.double())
        return share

    def _share(self, features: Tensor, pixels: Tensor, known: int) -> Tensor:
        """What all features explain beyond the first ``known`` ones."""
        assert self._sums is not None
        squares = self._sums[0]
        shared = squares[:known, known:]
        # What the label leaves of each logit: a code that is small beside the classes counts as a large one does.
        explained = (shared * torch.linalg.solve(regular(squares[:known, :known]), shared)).sum(0)
        left = squares[known:, known:].diagonal() - explained
        label, both = (
            (pixels - features[:, :count] @ self._decoder(count, left).to(pixels)).square().sum()
            for count in (known, features.shape[1])
        )
        return (1 - both / label.clamp_min(1e-12)).clamp_min(0)

    def _decoder(self, count: int, left: Tensor) -> Tensor:
        """The regression of the pixels on the first ``count`` features, (count, pixels).

        The last of all features, the logits, have a ridge in units of ``left``, weak once there are many more rows than
        features.
        """
        assert self._sums is not None
        squares, products = self._sums[0], self._sums[1][:count]
        ridge = torch.zeros_like(squares[0])
        ridge[-len(left) :] = left.clamp_min(0) * (len(squares) / self._rows)
        solution: Tensor = torch.linalg.solve(regular(squares + ridge.diag())[:count, :count], products)
        return solution

    def _remember(self, features: Tensor, pixels: Tensor) -> None:
        squares, products = features.T @ features, features.T @ pixels
        if self._sums is not None:
            squares, products = squares + MEMORY * self._sums[0], products + MEMORY * self._sums[1]
        self._sums, self._rows = (squares, products), MEMORY * self._rows + len(features)

    def carried(self) -> dict[str, Tensor]:
        if self._sums is None:
            return {}
        rows = torch.tensor(self._rows, dtype=torch.float64)
        return {"squares": self._sums[0], "products": self._sums[1], "rows": rows}

    def restore(self, carried: dict[str, Tensor]) -> None:
        if carried:
            self._sums, self._rows = (carried["squares"], carried["products"]), carried["rows"].item()


PENALTY = Decodability
