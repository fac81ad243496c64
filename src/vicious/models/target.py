"""The target model F: a pre-activation WideResNet for 32x32 images.

Architecture: Zagoruyko and Komodakis, "Wide Residual Networks" (2016), with the padding and shortcuts that the study
of vicious classifiers uses (arXiv 2212.04223).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 16


def blocks_per_group(depth: int) -> int:
    """Number n of residual blocks in each of the three groups, for ``depth = 6 n + 4``.

    Raises:
        ValueError: ``depth`` is not of that form.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 4 (10, 16, 22, 28, ...), not {depth}")
    return blocks


class PreActivationBlock(nn.Module):
    """BatchNorm, ReLU, 3x3 convolution, twice, plus a shortcut.

    Where the stride is 2 the 3x3 input is padded on the right and bottom only. Where the number of channels changes the
    shortcut is a strided 1x1 convolution of the *activated* input, elsewhere the input itself.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1 if stride == 1 else 0, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, padding=1, bias=False)
        changes = channels_in != channels_out
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        activated = functional.relu(self.norm1(x))
        padded = functional.pad(activated, (0, 1, 0, 1)) if self.stride == 2 else activated
        residual = self.conv2(functional.relu(self.norm2(self.conv1(padded))))
        return residual + (x if self.shortcut is None else self.shortcut(activated))


class TargetModel(nn.Module):
    """Classifier F from images to logits.

    Args:
        depth: number of layers, 6 n + 4.
        width: factor on the channels 16, 32, 64 of the three groups.
        channels: image channels, 1 or 3.
        outputs: number of logits K.
        mean, std: channel statistics of the training images; part of the saved state.

    Shapes: images (N, channels, 32, 32) in [0, 1] -> logits (N, outputs).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, depth: int, width: int, channels: int, outputs: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        n = blocks_per_group(depth)
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, channels, 1, 1))
        self.register_buffer("std", torch.tensor(list(std)).view(1, channels, 1, 1))
        widths = (STEM_CHANNELS, 16 * width, 32 * width, 64 * width)
        self.stem = nn.Conv2d(channels, STEM_CHANNELS, 3, padding=1, bias=False)
        self.groups = nn.Sequential(
            *(
                PreActivationBlock(
                    widths[group] if block == 0 else widths[group + 1],
                    widths[group + 1],
                    stride=2 if block == 0 and group > 0 else 1,
                )
                for group in range(3)
                for block in range(n)
            )
        )
        self.norm = nn.BatchNorm2d(widths[3])
        self.linear = nn.Linear(widths[3], outputs)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.groups(self.stem((images - self.mean) / self.std))
        return self.linear(functional.avg_pool2d(functional.relu(self.norm(hidden)), 8).flatten(1))
