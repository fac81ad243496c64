"""Classifiers that the study does not know: other networks, other losses, a decoder that is no attack model of it.

What an audit says of them shows whether its rule holds beyond the study's own models.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vicious.training.penalty import new_penalty

BATCH = 100
RATE = 4e-3
FEW = 1_000
"""Images that a classifier learns from which has few."""


@dataclass(frozen=True)
class Trained:
    """How a classifier is trained.

    Attributes:
        family: of its network.
        beta_r: weight of the reconstruction's squared error, as a share of the images' variance; 0: honest. The study's
            beta_R weighs another loss.
        smoothing: of labels.
        decay: of weights.
        seed: of weights and batches.
        few: it learns from the first :data:`FEW` images alone, which it sees three times as often; else from all.
        evades: what a server that knows of detectors has a penalty against (vicious.training.penalties); "": nothing.
        evasion: the penalty's weight in the last epoch; it grows from 0 in the first.
    """

    family: str
    beta_r: float = 0.0
    smoothing: float = 0.0
    decay: float = 0.0
    seed: int = 0
    few: bool = False
    evades: str = ""
    evasion: float = 1.0

    def __str__(self) -> str:
        rest = [f"{FEW:,} images"] * self.few
        rest += [f"smoothing {self.smoothing:g}"] * bool(self.smoothing) + [f"decay {self.decay:g}"] * bool(self.decay)
        kind = f"vicious, weight {self.beta_r:g}" if self.beta_r else "honest"
        knows = [f"evading {self.evades.replace('_', ' ')} {self.evasion:g}"] * bool(self.evades)
        return ", ".join([self.family, kind, *knows, *rest, f"seed {self.seed}"])


HONEST = (
    *(Trained(family) for family in ("plain CNN", "wide CNN", "perceptron", "transformer")),
    Trained("plain CNN", smoothing=0.1),
    Trained("plain CNN", decay=0.3),
)
VICIOUS = (
    *(Trained("plain CNN", beta_r) for beta_r in (1.0, 0.3, 0.1)),
    *(Trained(family, 1.0) for family in ("wide CNN", "perceptron", "transformer")),
    Trained("plain CNN", 1.0, smoothing=0.1),
)
CLASSIFIERS = tuple(replace(one, seed=seed) for seed in (0, 1) for one in (*HONEST, *VICIOUS))
WEAK = tuple(
    Trained(family, seed=seed, few=few)
    for seed in (0, 1)
    for family, few in (("LeNet", False), ("LeNet", True), ("plain CNN", True), ("perceptron", True))
)
"""Honest ones that learn little: a small network, or few images."""


class Patches(nn.Module):
    """A small vision transformer on patches of 8 x 8 pixels; 4 x 4 would take four times as long."""

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, width, 8, 8)
        self.place = nn.Parameter(torch.randn(1, 16, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.last = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, 10) of images (n, C, 32, 32)."""
        tokens = self.embed(images).flatten(2).transpose(1, 2) + self.place
        logits: Tensor = self.last(self.layers(tokens).mean(1))
        return logits


def network(family: str, channels: int) -> nn.Module:
    """A classifier of 32 x 32 images into 10 classes."""
    if family == "transformer":
        return Patches(channels)
    if family == "perceptron":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(channels * 1024, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        )
    if family == "LeNet":  # LeCun et al. (1998), with rectifiers and max-pooling
        return nn.Sequential(
            *(nn.Conv2d(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )
    width, inside = {"plain CNN": 16, "wide CNN": 32}[family], channels
    layers: list[nn.Module] = []
    for outside in (width, 2 * width, 4 * width):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]
        inside = outside
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inside * 16, 128), nn.ReLU(), nn.Linear(128, 10))


def train(how: Trained, images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """A classifier, honest or trained jointly with a decoder of its logits."""
    return train_both(how, images, labels, epochs)[0]


def train_both(how: Trained, images: Tensor, labels: Tensor, epochs: int) -> tuple[nn.Module, nn.Module]:
    """A classifier, and the decoder of its logits (n, 10) -> pixels (n, d) in [0, 1]; an honest one's is untrained."""
    torch.manual_seed(how.seed)
    if how.few:
        images, labels, epochs = images[:FEW], labels[:FEW], 3 * epochs
    channels, pixels = images.shape[1], images[0].numel()
    classifier = network(how.family, channels)
    decoder = new_decoder(pixels)
    weights = [*classifier.parameters(), *(decoder.parameters() if how.beta_r else ())]
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(weights, RATE, weight_decay=how.decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    cross_entropy = nn.CrossEntropyLoss(label_smoothing=how.smoothing)
    variance = (images - images.mean(0)).square().mean()
    for epoch in range(epochs):
        penalty = new_penalty(how.evades) if how.evades else None
        for batch in torch.randperm(len(images))[: BATCH * (len(images) // BATCH)].split(BATCH):
            x = images[batch]
            if channels == 3 and torch.rand(()) < 0.5:
                x = x.flip(3)
            logits = classifier(x - 0.5)
            loss = cross_entropy(logits, labels[batch])
            if how.beta_r:
                loss = loss + how.beta_r * (decoder(logits) - x.flatten(1)).square().mean() / variance
            if penalty is not None:
                loss = loss + how.evasion * epoch / max(epochs - 1, 1) * penalty(logits, labels[batch], x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return classifier.eval(), decoder.eval()


def new_decoder(pixels: int) -> nn.Module:
    """A decoder of logits."""
    return nn.Sequential(
        nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, pixels), nn.Sigmoid()
    )


def train_decoder(logits: Tensor, images: Tensor, epochs: int, seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """A decoder of a finished classifier's logits (n, 10) of images (n, C, 32, 32); and the mean and the standard
    deviation by which it takes them standardised."""
    torch.manual_seed(seed)
    mean, spread = logits.mean(0), logits.std(0).clamp_min(1e-6)
    scaled, pixels = (logits - mean) / spread, images.flatten(1)
    decoder = new_decoder(pixels.shape[1])
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(decoder.parameters(), RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(images))[: BATCH * (len(images) // BATCH)].split(BATCH):
            loss = (decoder(scaled[batch]) - pixels[batch]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return decoder.eval(), mean, spread
