"""A small decoder that the user trains: what a network reads of the image from the logits, beyond the predicted label.

Reasoning: the server's decoder is a network, and what it reads need not be linear. The user has the model, so every
image can be asked for many times, each time augmented. A network of one hidden layer reads, from the predicted label,
what it leaves of the logits, and what it leaves of their gaps (:mod:`vicious.defense.gaps`), what the mean image of the
label leaves of the leading principal components of the user's augmented images.

The score is 1 - SS(network) / SS(label), the sums of squared pixel errors on images that were not trained on, in two
folds, for the best of a few numbers of steps. 0: logits give away nothing beyond the label; 1: everything.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vicious.defense.detector import ROUNDING, Array, Detector, Evidence, predicted
from vicious.defense.gaps import gaps
from vicious.system.randomness import derive_seed

if TYPE_CHECKING:
    from torch import Generator

FOLDS = 2
COPIES = 3  # augmented copies of each image
MOST = 100  # images of a fold that are trained on at most, the first
COMPONENTS = 32
HIDDEN = 64
STOPS = (0, 20, 40, 80, 160)  # steps after which the network is tried; 0 is the label alone
BATCH = 64
RATE = 3e-3
CLIP = 5.0  # standardised logits are cut off here: augmented images may have odd ones


def measure(evidence: Evidence) -> float:
    """Share of the label's squared error that the network saves, in [0, 1]."""
    fold = np.arange(len(evidence.images)) % FOLDS  # the user's images come in random order
    errors = np.sum([_errors(evidence, fold == held, held) for held in range(FOLDS)], axis=0)
    return 1.0 - float(errors.min() / errors[0]) if errors[0] > 0 else 0.0


def _errors(evidence: Evidence, held: np.ndarray, index: int) -> Array:
    """Sums of squared errors on held-out images after each of :data:`STOPS`."""
    import torch

    from vicious.training.augment import augment

    own = torch.from_numpy(evidence.images[~held][:MOST])
    generator = torch.Generator().manual_seed(derive_seed(evidence.seed, "own decoder", index))
    images = torch.cat([own, *(augment(own, generator) for _ in range(COPIES))])
    logits = np.concatenate([evidence.logits[~held][:MOST], evidence.ask(images[len(own) :].numpy())])
    label, new_label = (predicted(one, evidence.multilabel) for one in (logits, evidence.logits[held]))
    # It knows which images are augmented: logits that show this would look like logits that show more.
    plain = np.arange(len(label)) < len(own)
    known, new_known = _known(label, plain), _known(new_label, np.ones(len(new_label), bool))
    x, new = _features(logits, evidence.logits[held], known, new_known, plain, evidence.multilabel)
    pixels, new_pixels = images.reshape(len(images), -1).double().numpy(), evidence.pixels[held]
    left, new_left = _beyond(pixels, known, new_pixels, new_known)
    _, s, vt = np.linalg.svd(left, full_matrices=False)
    if s[0] <= 0:
        return np.full(len(STOPS), (new_left**2).sum())
    basis = vt[:COMPONENTS] * (s[0] / np.sqrt(len(left)))
    codes = left @ np.linalg.pinv(basis)
    return np.array([((new_left - read @ basis) ** 2).sum() for read in _training(x, codes, new, generator)])


def _features(
    logits: Array, new_logits: Array, label: Array, new_label: Array, plain: np.ndarray, multilabel: bool
) -> tuple[Array, Array]:
    """What the network is given, of images that it is trained on and of new ones: what the label leaves of the logits
    and of their gaps, in units of plain images and cut off at :data:`CLIP`, and the label."""
    columns, new_columns = [], []
    for first, asked in ((logits, new_logits), gaps(logits, new_logits, multilabel)):
        rest, new_rest = _beyond(first, label, asked, new_label)
        spread = rest[plain].std(0)
        scale = np.where(spread > ROUNDING * np.abs(first).max(0), spread, np.inf)
        columns.append(np.clip(rest / scale, -CLIP, CLIP))
        new_columns.append(np.clip(new_rest / scale, -CLIP, CLIP))
    return np.column_stack([*columns, label]), np.column_stack([*new_columns, new_label])


def _known(label: Array, plain: np.ndarray) -> Array:
    """The label of plain images and that of augmented ones, apart, and which is which."""
    return np.column_stack([label * plain[:, None], label * ~plain[:, None], plain])


def _beyond(values: Array, label: Array, new_values: Array, new_label: Array) -> tuple[Array, Array]:
    """What a linear map of the label, fitted on the first pair, leaves of both; a ridge of 1 copes with rare labels."""
    mean, centre = values.mean(0), label.mean(0)
    centred = label - centre
    weights = np.linalg.solve(centred.T @ centred + np.eye(label.shape[1]), centred.T @ (values - mean))
    return values - mean - centred @ weights, new_values - mean - (new_label - centre) @ weights


def _training(x: Array, codes: Array, new: Array, generator: "Generator") -> Iterator[Array]:
    """Codes of new features after each of :data:`STOPS`, by a network trained on features (n, p) and codes (n, q)."""
    import torch
    from torch import nn
    from torch.nn import functional

    from vicious.training.adam import Adam

    with torch.random.fork_rng(devices=[]):  # not to touch the state of others; initial weights are set below
        first, second = (nn.Linear(one, two) for one, two in pairwise((x.shape[1], HIDDEN, codes.shape[1])))
    nn.init.kaiming_uniform_(first.weight, nonlinearity="relu", generator=generator)
    for part in (first.bias, second.weight, second.bias):
        nn.init.zeros_(part)
    network = nn.Sequential(first, nn.ReLU(), second)
    optimiser = Adam(network, RATE)
    given, wanted, asked = (torch.from_numpy(part).float() for part in (x, codes, new))
    for before, stop in pairwise((0, *STOPS)):
        for _ in range(before, stop):
            chosen = torch.randint(len(given), (min(BATCH, len(given)),), generator=generator)
            optimiser.zero_grad()
            functional.mse_loss(network(given[chosen]), wanted[chosen]).backward()
            optimiser.step()
        with torch.no_grad():
            yield network(asked).double().numpy()


DETECTOR = Detector(
    "own_decoder", "queries", measure, passes=lambda n: FOLDS * COPIES * min(n // FOLDS, MOST), seconds=2.0
)
