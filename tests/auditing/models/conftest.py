"""A small network, and archives with some members replaced."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

Change = Callable[[str, bytes], bytes | None]


class Network(nn.Module):
    """A convolution, a batch norm, a mean and a linear map, and tricks that exporters meet."""

    _shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.linear = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.register_buffer("_shift", torch.ones(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, 8, 8) -> (n, 5)."""
        with torch.no_grad():
            images = images - 0.5 * self._shift
        maps = self.norm(self.convolution(images)).relu()
        maps = nn.functional.interpolate(maps, scale_factor=0.5, mode="bilinear")
        found: Tensor = self.linear(maps.mean((2, 3)))
        return found


@pytest.fixture(scope="session")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="session")
def answers(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Images (6, 3, 8, 8), and the network's outputs."""
    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return images, network(images)


def rewritten(source: Path, target: Path, change: Change, **added: bytes) -> Path:
    """A copy of an archive, each member as ``change`` gives it (None: left out), and others beside them."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        root = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            content = change(name.partition("/")[2], old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name, content in added.items():
            new.writestr(f"{root}/{name}", content)
    return target


@pytest.fixture(name="rewritten")
def _rewritten() -> Callable[..., Path]:
    return rewritten
