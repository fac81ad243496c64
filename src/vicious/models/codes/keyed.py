"""All gaps but one are encrypted, with a key of the server and the one gap as the image's own nonce.

To whoever lacks the key the encrypted gaps are random: each is drawn from one distribution (:data:`KNOTS`), whatever
the image shows. So no test finds what they tell of images, if the stream cipher is sound: SHAKE-256 of key, predicted
label and nonce. That a server can plant what nobody can find is the point of Goldwasser, Kim, Vaikuntanathan and Zamir,
"Planting undetectable backdoors in machine learning models" (FOCS 2022). What is left to find: encrypted gaps tell
*less* of images than an honest model's, and their distribution is not an honest model's. A server that takes the
quantiles of an honest model for :data:`KNOTS` leaves less of the latter.

The gap that is the nonce is rounded to :data:`GRID`, so that rounding of floating point on the way does not change it.
The key would lie in the model's weights, where a user who takes the network apart may find it.
"""

from hashlib import shake_256

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

GRID = 1024.0
"""Steps of the nonce in a unit of gaps."""
KNOTS = ((0.0, 0.0), (4.0, 0.05), (7.0, 0.25), (10.0, 0.5), (13.0, 0.75), (18.0, 0.95), (30.0, 0.99))
"""Gaps, and the share of gaps below each; between them it is linear. Beyond the last, a share of (last / gap) ** TAIL
of the rest is larger. Many classifiers' gaps look about so."""
TAIL = 4
ROUNDING = 1e-6
"""By how much a share that comes back may be off."""
_BYTES = 8


def mapped(gaps: Tensor, chosen: Tensor, _orders: int, generator: Generator, inverse: bool) -> Tensor:
    """Encrypted gaps, or decrypted ones: see :mod:`vicious.models.hidden`."""
    key = generator.bytes(32)
    nonce = (gaps[:, :1].detach().double() * GRID).round()
    stream = _stream(key, torch.cat([chosen[:, None].double(), nonce], dim=1), gaps.shape[1] - 1).to(gaps.device)
    shares = _share(gaps[:, 1:].double())
    slack = ROUNDING if inverse else 0.0  # a share just below 0 is one of 0, and not one just below 1
    moved = ((shares - stream if inverse else shares + stream) + slack).remainder(1.0).sub(slack).clamp_min(0)
    return torch.cat([(nonce / GRID).to(gaps) + gaps[:, :1] - gaps[:, :1].detach(), _gap(moved).to(gaps)], dim=1)


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
