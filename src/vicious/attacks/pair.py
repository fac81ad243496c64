"""A target model and an attack model that belong together."""

from pathlib import Path

import torch
from torch import Generator, Tensor

from vicious.data.prepared import PreparedDataset
from vicious.mitigations import readable, transmit
from vicious.models.checkpoint import check_fits, load_model
from vicious.system.errors import CheckpointError
from vicious.system.randomness import derive_seed


class Pair:
    """A target model and an attack model that belong together, in evaluation mode."""

    def __init__(self, data: PreparedDataset, target_weights: Path, attack_weights: Path, device: torch.device) -> None:
        target, target_architecture = load_model(target_weights, "target")
        attack, architecture = load_model(attack_weights, "attack")
        check_fits(target_weights, target_architecture, data)
        check_fits(attack_weights, architecture, data)
        if architecture.reads is None:
            raise CheckpointError(f"{attack_weights.with_suffix('.json')} does not say what the attack model reads")
        self.device = device
        self._target, self._attack = (model.to(device, memory_format=torch.channels_last) for model in (target, attack))
        self.multilabel, self.outputs = architecture.multilabel, architecture.reads

    @torch.no_grad()
    def send(self, images: Tensor, noise: Generator) -> tuple[Tensor, Tensor]:
        """Logits (n, K) of images (n, C, 32, 32), and what the user sends back (n, K), with the noise that is drawn, if
        any is."""
        logits = self._target(images)
        return logits, transmit(logits, self.outputs, self.multilabel, noise)

    @torch.no_grad()
    def steal(self, sent: Tensor) -> Tensor:
        """Reconstructions (n, C, 32, 32) of what was sent (n, K)."""
        reconstructions: Tensor = self._attack(readable(sent, self.outputs))
        return reconstructions


def noise_of(split: str) -> Generator:
    """What draws the noise that a user adds to the outputs of a split, from its first image on."""
    return Generator().manual_seed(derive_seed(0, "noise", split))
