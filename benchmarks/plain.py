"""The original study's program, written anew as a plain loop of its structure: what this project is compared with.

    python benchmarks/plain.py PREPARED OUT [--depth 28] [--epochs 1] [--batches 4] [--train-only]

Of such programs it has the usual form, not the faults that change results: a torch Dataset and DataLoader, augmentation
image by image by torchvision, torch.optim.Adam, SSIM by a convolution, a covariance by np.cov with a pseudo-inverse in
float32, and all images in memory as float32. The networks are the project's, in PyTorch's usual memory layout. It reads
what ``vicious prepare`` wrote, and writes both networks' weights and the risk.
"""

import argparse
import copy
import json
import math
import random
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from vicious.models.decoders._mirror import AttackModel
from vicious.models.decoders.mirror import channels_of_groups as decoder_channels
from vicious.models.depth import blocks_per_group
from vicious.models.targets._wideresnet import TargetModel
from vicious.models.targets.wideresnet import channels_of_groups

BETA_C, BETA_R = 1.0, 3.0
LEARNING_RATE, BATCH_IMAGES = 0.001, 125
SIDE = 32
AUGMENTATIONS = (
    transforms.RandomHorizontalFlip(1.0),
    transforms.RandomErasing(1.0, (0.02, 0.2), (0.2, 2.2)),
    transforms.RandomPerspective(0.5, 1.0),
    transforms.RandomAdjustSharpness(5.0, 1.0),
    transforms.RandomAutocontrast(1.0),
    transforms.Compose([transforms.CenterCrop(SIDE * 2 // 3), transforms.Resize(SIDE)]),
    transforms.GaussianBlur((5, 9), (0.1, 2.0)),
)


class Images(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """A split of a prepared dataset in memory: an image (C, 32, 32), a copy, augmented in training, and its label."""

    def __init__(self, folder: Path, split: str, augmented: bool = False) -> None:
        self.images = torch.from_numpy(np.load(folder / f"{split}_images.npy")).float() / 255
        self.labels = torch.from_numpy(np.load(folder / f"{split}_labels.npy")).long()
        self.augmented = augmented

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        image, copied = self.images[index], self.images[index]
        if self.augmented:
            copied = random.choice(AUGMENTATIONS)(image).clamp(0, 1)
        return image, copied, self.labels[index]


class Decoder(AttackModel):
    """G, without a word on the layout of memory."""

    def forward(self, read: Tensor) -> Tensor:
        images: Tensor = torch.sigmoid(self.last(self.groups(self.linear(read).view(len(read), -1, 4, 4))))
        return images


def networks(folder: Path, depth: int, width: int) -> tuple[TargetModel, Decoder]:
    """F and G with fresh weights for a prepared dataset of classes."""
    info = json.loads((folder / "dataset.json").read_text())
    channels, outputs, blocks = info["channels"], info["classes"], blocks_per_group(depth)
    target = TargetModel(blocks, channels_of_groups(width), channels, outputs)
    for buffer, values in ((target.mean, info["mean"]), (target.std, info["std"])):
        buffer.copy_(torch.tensor(values).view(1, -1, 1, 1))
    return target, Decoder(blocks, decoder_channels(width), channels, outputs)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Mean structural similarity of two batches: an 11x11 Gaussian window, sigma 1.5, data range 1."""
    offsets = torch.arange(11.0) - 5
    weights = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    weights = weights / weights.sum()
    window = (weights[:, None] * weights).expand(x.shape[1], 1, 11, 11)
    moments = functional.conv2d(torch.cat([x, y, x * x, y * y, x * y]), window, groups=x.shape[1])
    mean_x, mean_y, square_x, square_y, product = moments.split(len(x))
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mean_x * mean_y + c1) * (2 * (product - mean_x * mean_y) + c2)
    variances = square_x - mean_x**2 + square_y - mean_y**2
    found: Tensor = (numerator / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))).mean()
    return found


def train(target: TargetModel, attack: Decoder, folder: Path, epochs: int, batches: int | None) -> None:
    """Train both together, on at most so many batches in each epoch; they then have the weights of the best one."""
    loader = DataLoader(Images(folder, "train", augmented=True), BATCH_IMAGES, shuffle=True)
    validation = DataLoader(Images(folder, "validation"), BATCH_IMAGES)
    optimisers = [torch.optim.Adam(model.parameters(), LEARNING_RATE) for model in (target, attack)]
    best, states = math.inf, [copy.deepcopy(model.state_dict()) for model in (target, attack)]
    for epoch in range(epochs):
        target.train()
        attack.train()
        for images, copies, labels in islice(loader, batches):
            rows, twice = torch.cat([images, copies]), torch.cat([labels, labels])
            logits = target(rows)
            stolen = attack(logits)
            theft = 5 * functional.huber_loss(stolen, rows) + 1 - ssim(stolen, rows)
            loss = BETA_C * functional.cross_entropy(logits, twice) + BETA_R * theft
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
        score = validate(target, attack, validation)
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, selection {score:.4f}", flush=True)
        if score < best:
            best, states = score, [copy.deepcopy(model.state_dict()) for model in (target, attack)]
    for model, state in zip((target, attack), states, strict=True):
        model.load_state_dict(state)


@torch.no_grad()
def validate(target: TargetModel, attack: Decoder, loader: DataLoader[tuple[Tensor, Tensor, Tensor]]) -> float:
    """What model selection minimises."""
    target.eval()
    attack.eval()
    scores: list[float] = []
    for images, _, labels in loader:
        logits = target(images)
        stolen = attack(logits)
        wrong = 1 - (logits.argmax(1) == labels).float().mean()
        scores.append((wrong + 1 - ssim(stolen, images) + 5 * functional.mse_loss(stolen, images)).item())
    return sum(scores) / len(scores)


def risk(target: nn.Module, attack: nn.Module, folder: Path) -> float:
    """The mean reconstruction risk of the test images."""
    known = torch.cat([Images(folder, split).images for split in ("train", "validation")]).flatten(1)
    mean = known.mean(0)
    inverse = torch.linalg.pinv(torch.from_numpy(np.cov(known.numpy(), rowvar=False)).float())
    target.eval()
    attack.eval()
    risks = []
    for images, _, _ in DataLoader(Images(folder, "test"), BATCH_IMAGES):
        distances = []
        with torch.no_grad():
            stolen = attack(target(images))
        for difference in (images.flatten(1) - mean, (images - stolen).flatten(1)):
            squares = torch.einsum("ni,ij,nj->n", difference, inverse, difference)
            distances.append(squares.clamp_min(0).sqrt())
        risks.append(distances[0] / distances[1])
    return torch.cat(risks).mean().item()


def risk_of_weights(folder: Path, target_weights: Path, attack_weights: Path, depth: int, width: int) -> float:
    """The risk as this program computes it, of networks that the project trained."""
    models = networks(folder, depth, width)
    for model, weights in zip(models, (target_weights, attack_weights), strict=True):
        model.load_state_dict(load_file(weights))
    return risk(*models, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="what vicious prepare wrote")
    parser.add_argument("out", type=Path, help="folder to write into")
    for name, default in (("depth", 28), ("width", 1), ("epochs", 1), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--batches", type=int, help="most of an epoch (default: all)")
    parser.add_argument("--train-only", action="store_true", help="without the risk")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    target, attack = networks(given.folder, given.depth, given.width)
    train(target, attack, given.folder, given.epochs, given.batches)
    given.out.mkdir(parents=True, exist_ok=True)
    for model, name in ((target, "target"), (attack, "attack")):
        save_file(model.state_dict(), given.out / f"{name}.safetensors")
    if not given.train_only:
        print(f"risk {risk(target, attack, given.folder):.6f}")


if __name__ == "__main__":
    main()
