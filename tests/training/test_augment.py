"""The seven augmentations, against torchvision one image at a time."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator
from torchvision.transforms.v2 import functional as transforms

from vicious.training import augment as module
from vicious.training.augment import AUGMENTATIONS, augment, gaussian_blur, warp


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(12, 3, 32, 32, generator=Generator().manual_seed(1))


def test_blur_agrees_with_torchvision(images: Any) -> None:
    sigmas = torch.linspace(0.1, 2.0, 12)
    expected = [
        transforms.gaussian_blur(image, [5, 9], [sigma] * 2)
        for image, sigma in zip(images, sigmas.tolist(), strict=True)
    ]
    assert torch.allclose(gaussian_blur(images, sigmas), torch.stack(expected), atol=1e-5)


def test_perspective_agrees_with_torchvision(images: Any) -> None:
    generator = Generator().manual_seed(0)
    corners = torch.tensor([[0, 0], [31, 0], [31, 31], [0, 31]], dtype=torch.float64)
    ends, expected = [], []
    for image in images:
        end = (corners + torch.randint(-5, 6, (4, 2), generator=generator)).double()
        ends.append(end)
        start = corners.long().tolist()
        expected.append(transforms.perspective(image, start, end.long().tolist()))
    found = warp(images, corners.expand(12, 4, 2), torch.stack(ends))
    inner = (slice(None), slice(None), slice(8, 24), slice(8, 24))  # torchvision fades its border by a mask
    assert torch.allclose(found[inner], torch.stack(expected)[inner], atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [32, 28, 9])
def test_those_without_random_parameters_are_what_they_say(images: Any, channels: int, side: int) -> None:
    images = images[:, :channels, :side, :side].clone()
    images[0] = 0.5
    images[1, 0] = 0.25
    mirrored, sharp, stretched = (
        augmentation(images, Generator()) for augmentation in (module.flip, module.sharpen, module.autocontrast)
    )
    torch.testing.assert_close(mirrored, images.flip(-1), atol=0, rtol=0)
    weights = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = torch.nn.functional.conv2d(images, weights.expand(channels, 1, 3, 3), groups=channels)
    inner = images[..., 1:-1, 1:-1]
    torch.testing.assert_close(sharp[..., 1:-1, 1:-1], (smooth + 5 * (inner - smooth)).clamp(0, 1))
    torch.testing.assert_close(sharp[..., 0, :], images[..., 0, :])
    low, high = images.amin((-2, -1), keepdim=True), images.amax((-2, -1), keepdim=True)
    torch.testing.assert_close(stretched, torch.where(high > low, (images - low) / (high - low), images))


def test_erase_blanks_one_rectangle_of_the_stated_area() -> None:
    images = torch.ones(500, 1, 32, 32)
    erased = module.erase(images, Generator().manual_seed(0)) == 0
    for mask in erased[:, 0]:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns
    share = erased.float().flatten(1).mean(1)
    assert 0.01 < share.min() < 0.03
    assert 0.18 < share.max() < 0.22


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_keeps_shape_and_changes_the_image(augmentation: Any, channels: int, images: Any) -> None:
    result = augmentation(images[:, :channels], Generator().manual_seed(0))
    assert result.shape == (12, channels, 32, 32)
    assert torch.isfinite(result).all()
    assert not torch.equal(result, images[:, :channels])


def test_augment_is_deterministic_and_stays_in_range(images: Any) -> None:
    first, second = (augment(images, Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(images, Generator().manual_seed(4)))
    assert first.min() >= 0
    assert first.max() <= 1


def test_all_seven_are_chosen_about_equally(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = dict.fromkeys(range(7), 0)

    def counting(index: Any) -> Callable[..., Any]:
        def run(images: Any, generator: Any) -> Any:
            counts[index] += len(images)
            return images

        return run

    monkeypatch.setattr(module, "AUGMENTATIONS", tuple(counting(index) for index in range(7)))
    augment(torch.rand(7000, 1, 2, 2), Generator().manual_seed(0))
    assert all(900 < count < 1100 for count in counts.values())
