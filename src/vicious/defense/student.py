"""An honest student: a reference that a user makes from own images and the model's labels, with no model handed over.

A student learns the labels that the model predicts, and nothing else. So what its outputs tell of images beyond the
label is what classification alone leaves there. It sees as many images as the user has, far fewer than an honest server
does, and it is small: its leak is a reference, and no copy of what an honest model would leak.

A student's outputs on images that it was trained on would look surer than they are, so each image's are of a student
that was trained on the other folds. A comparison with a student is the idea behind Erdogan et al., "SplitGuard" (WPES
2022), and "SplitOut" (2024), for split learning. There the client trains the first layers and compares gradients or
outliers of them; here the user has outputs alone.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vicious.defense.detector import Array
from vicious.system.randomness import derive_seed
from vicious.system.runtime import one_thread

if TYPE_CHECKING:
    from torch import Tensor, nn

Family = Literal["convolutional", "perceptron", "linear", "nearest-mean"]
FAMILIES: tuple[Family, ...] = ("convolutional", "perceptron")
"""What every model is compared with."""
AFFINE: tuple[Family, ...] = ("linear", "nearest-mean")
"""What a model that is affine is compared with, too: logistic regression, and distances to mean images."""
FOLDS = 4
SIDE = 32
"""Pixels a side of the images that a student sees; larger ones are made smaller."""
BATCH = 32
PASSES = 10
FEWEST_STEPS, MOST_STEPS = 120, 400
RATE = 5e-3
DECAY = 0.05
SHIFT = 2
"""Pixels by which training images are moved at most."""


def student_outputs(
    images: NDArray[np.float32],
    predicted: Array,
    multilabel: bool,
    family: Family,
    seed: int,
    told: Callable[[], None] = lambda: None,
) -> Array:
    """Logits (n, L) of students on the images that they were not trained on.

    Args:
        images: (n, C, H, W) in [0, 1].
        predicted: (n, K), the predicted class one-hot, or attributes. L is the number of those that occur: the columns
            of a class that the model never predicts are left out.
        family: of the student.
        seed: of folds, weights and batches.
        told: is called after each fold.
    """
    import torch

    targets = torch.from_numpy(predicted[:, np.ptp(predicted, axis=0) > 0] if multilabel else _classes(predicted))
    pixels = torch.from_numpy(smaller(images, SIDE))
    outputs = targets.shape[1] if multilabel else int(targets.max()) + 1
    if family == "nearest-mean":
        for _ in range(FOLDS):
            told()
        return _to_means(pixels.flatten(1).double().numpy(), targets.numpy(), multilabel)
    logits = np.zeros((len(images), outputs))
    order = np.random.default_rng(derive_seed(seed, "student's folds")).permutation(len(images))
    for fold in range(FOLDS):
        held = np.sort(order[fold::FOLDS])
        rest = np.setdiff1d(order, held)
        with one_thread():
            network = _train(pixels[rest], targets[rest], outputs, family, derive_seed(seed, "student", family, fold))
            with torch.inference_mode():
                logits[held] = torch.cat([network(part) for part in pixels[held].split(256)]).double().numpy()
        told()
    return logits


def _classes(predicted: Array) -> NDArray[np.int64]:
    """Classes (n,) out of one-hot rows, numbered without gaps."""
    return np.unique(predicted.argmax(1), return_inverse=True)[1].reshape(-1)


def smaller(images: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Images of at most ``most`` pixels a side, (n, C, H, W) in [0, 1]; proportions are not kept."""
    height, width = (min(side, most) for side in images.shape[2:])
    if (height, width) == images.shape[2:]:
        return np.ascontiguousarray(images)
    import torch
    from torch.nn.functional import interpolate

    parts = [
        interpolate(torch.from_numpy(part), (height, width), mode="bilinear", antialias=True, align_corners=False)
        for part in np.array_split(images, -(-len(images) // 64))
    ]
    return np.asarray(torch.cat(parts).clamp(0, 1).numpy())


def _train(images: "Tensor", targets: "Tensor", outputs: int, family: Family, seed: int) -> "nn.Module":
    """A student after its last step, in evaluation mode."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = _network(family, images.shape[1:], outputs)
    steps = int(np.clip(PASSES * len(images) / BATCH, FEWEST_STEPS, MOST_STEPS))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    network.train()
    for _ in range(steps):
        batch = torch.randint(len(images), (BATCH,), generator=generator)
        moved = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=generator).tolist()
        logits = network(torch.roll(images[batch], moved, (2, 3)))
        expected = targets[batch]
        loss = (
            binary_cross_entropy_with_logits(logits, expected.float())
            if expected.ndim == 2
            else cross_entropy(logits, expected)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return network.eval()


def _to_means(rows: Array, targets: NDArray[Any], multilabel: bool) -> Array:
    """Minus the squared distance (n, L) of each row to the mean of each class without this row, apart from what all
    classes share. Of an attribute: minus that to the mean with it, plus that to the mean without it."""
    member = (targets if multilabel else np.eye(int(targets.max()) + 1)[targets]).astype(np.float64)
    squares, total = (rows**2).sum(1, keepdims=True), rows.mean(0)

    def scores(weights: Array) -> Array:
        others = weights.sum(0) - weights  # (n, L), of each class without this row
        sums = weights.T @ rows
        products = rows @ sums.T
        to_sum = (products - weights * squares) / np.maximum(others, 1)
        norms = ((sums**2).sum(1) - 2 * weights * products + weights * squares) / np.maximum(others, 1) ** 2
        found: Array = np.where(others > 0, 2 * to_sum - norms, 2 * (rows @ total)[:, None] - total @ total)
        return found

    return scores(member) - scores(1 - member) if multilabel else scores(member)


def _network(family: Family, shape: tuple[int, ...], outputs: int) -> "nn.Module":
    from torch import nn

    channels, height, width = shape
    inside = channels * height * width
    if family == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(inside, outputs))
    if family == "perceptron":
        return nn.Sequential(nn.Flatten(), nn.Linear(inside, 256), nn.ReLU(), nn.Linear(256, outputs))
    layers: list[nn.Module] = []
    for one, other in ((channels, 16), (16, 32), (32, 64)):
        layers += [
            nn.Conv2d(one, other, 3, padding=1),
            nn.BatchNorm2d(other),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
    layers += [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64 * 16, 64), nn.ReLU(), nn.Linear(64, outputs)]
    return nn.Sequential(*layers)
