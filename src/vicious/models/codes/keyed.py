"""All gaps but one are encrypted, with a key of the server and the one gap as the image's own nonce.

To whoever lacks the key the encrypted gaps are random: each is drawn from one distribution (:data:`KNOTS`), whatever
the image shows. So no test reads the image from them, if the stream cipher is sound: SHAKE-256 of key, predicted label
and nonce. That they are unlike an honest model's gaps can be seen: they are independent of each other, and of a fixed
distribution. Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting undetectable backdoors in machine learning models"
(FOCS 2022), show that a server can also leave nothing to see; this is not that.

The gap that is the nonce is sent as it is, rounded to 1 / :data:`GRID`, so that floating point on the way does not
change it. Two images of one label whose nonces are the same share a stream, which is rare. Gaps up to 100 come back: in
float32 to 0.001 up to 30, and to 0.3 beyond. The key would lie in the model's weights, where a user who takes the
network apart may find it.
"""

from hashlib import shake_256

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

GRID = 16384.0
"""Steps of the nonce in a unit of gaps."""
KNOTS = ((0.0, 0.0), (8.0, 0.05), (12.0, 0.25), (16.0, 0.5), (20.0, 0.75), (26.0, 0.95), (40.0, 0.99))
"""Gaps, and the share of gaps below each; between them it is linear. Beyond the last, a share of (last / gap) ** TAIL
of the rest is larger. Chosen near the gaps of the pilot's honest models of MNIST."""
TAIL = 4
ROUNDING = 1e-6
"""By how much a share that comes back may be off."""
SMALLEST = 1e-4
"""Of encrypted gaps: a smaller one might be rounded to 0, and the class would no longer be the largest."""
_BYTES = 8


def mapped(gaps: Tensor, chosen: Tensor, _orders: int, generator: Generator, inverse: bool) -> Tensor:
    """Encrypted gaps, or decrypted ones: see :mod:`vicious.models.hidden`."""
    key = generator.bytes(32)
    nonce = (gaps[:, :1].detach().double() * GRID).round().clamp_min(1)
    stream = _stream(key, torch.cat([chosen[:, None].double(), nonce], dim=1), gaps.shape[1] - 1).to(gaps.device)
    shares = _share(gaps[:, 1:].double())
    slack = ROUNDING if inverse else 0.0  # a share just below 0 is one of 0, and not one just below 1
    moved = ((shares - stream if inverse else shares + stream) + slack).remainder(1.0).sub(slack).clamp_min(0)
    found = _gap(moved) if inverse else _gap(moved).clamp_min(SMALLEST)
    return torch.cat([(nonce / GRID).to(gaps) + gaps[:, :1] - gaps[:, :1].detach(), found.to(gaps)], dim=1)


def _stream(key: bytes, rows: Tensor, count: int) -> Tensor:
    """Numbers (N, count) in [0, 1) that depend on the key and each row, and on nothing else."""
    blocks = [shake_256(key + row.tobytes()).digest(_BYTES * count) for row in rows.cpu().numpy().astype("<i8")]
    numbers = np.frombuffer(b"".join(blocks), "<u8").reshape(len(rows), count)
    return torch.from_numpy((numbers >> np.uint64(11)) * 2.0**-53)


def _share(gaps: Tensor) -> Tensor:
    """The share of gaps below each, in [0, 1)."""
    x, y = torch.tensor(KNOTS, dtype=gaps.dtype, device=gaps.device).T.contiguous()
    inside = _interpolated(gaps.clamp_max(KNOTS[-1][0]), x, y)
    beyond = 1 - (1 - y[-1]) * (x[-1] / gaps.clamp_min(KNOTS[-1][0])) ** TAIL
    return torch.where(gaps < x[-1], inside, beyond)


def _gap(shares: Tensor) -> Tensor:
    """The inverse of :func:`_share`."""
    x, y = torch.tensor(KNOTS, dtype=shares.dtype, device=shares.device).T.contiguous()
    inside = _interpolated(shares.clamp_max(KNOTS[-1][1]), y, x)
    beyond = x[-1] * ((1 - y[-1]) / (1 - shares.clamp_min(KNOTS[-1][1]))) ** (1 / TAIL)
    return torch.where(shares < y[-1], inside, beyond)


def _interpolated(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The piecewise linear function through (x, y), within them."""
    right = torch.searchsorted(x, at.detach().contiguous(), right=True).clamp(1, len(x) - 1)
    left = right - 1
    return y[left] + (at - x[left]) * (y[right] - y[left]) / (x[right] - x[left])
