"""The seven augmentations of the study, batched: each image gets one of them, with its own random parameters.

All take and return images (N, C, H, W) in [0, 1], C being 1 or 3. Random parameters come from the given CPU generator,
so that they are the same on every device. Those without random parameters are torchvision's. It draws one set of
parameters for a whole batch, so the others are here; they agree with torchvision's for one image, up to rounding.
torchvision takes about as long to load as torch itself, and so is loaded when the first image is augmented.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from vicious.system.runtime import moved

BLUR_KERNEL = (5, 9)
"""Width and height of the Gaussian blur's kernel, as torchvision takes it."""
SHARPNESS = 5.0


def uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    """``n`` independent numbers from [low, high), shape (n,)."""
    return torch.rand(n, generator=generator) * (high - low) + low


def flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirror every image horizontally."""
    return images.flip(-1)


def erase(images: Tensor, generator: Generator) -> Tensor:
    """Set one rectangle of each image to 0: area 0.02 to 0.2 of the image, aspect (height/width) 0.2 to 2.2."""
    n, _, height, width = images.shape
    area = uniform(n, 0.02, 0.2, generator) * height * width
    aspect = torch.exp(uniform(n, math.log(0.2), math.log(2.2), generator))
    tall = (area * aspect).sqrt().round().clamp(1, height)
    wide = (area / aspect).sqrt().round().clamp(1, width)
    top = (uniform(n, 0, 1, generator) * (height - tall + 1)).floor()
    left = (uniform(n, 0, 1, generator) * (width - wide + 1)).floor()
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    erased = (in_rows[:, :, None] & in_columns[:, None, :]).unsqueeze(1)
    return images.masked_fill(moved(erased, images.device), 0.0)


def perspective(images: Tensor, generator: Generator, distortion: float = 0.5) -> Tensor:
    """Move each corner inwards by up to ``distortion`` times half a side; outside the image it is 0."""
    n, _, height, width = images.shape
    start = torch.tensor([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], dtype=torch.float64)
    inwards = torch.tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=torch.float64)
    limits = torch.tensor([int(distortion * (width // 2)), int(distortion * (height // 2))]) + 1
    moves = (torch.rand(n, 4, 2, generator=generator, dtype=torch.float64) * limits).floor()
    return warp(images, start.expand(n, 4, 2), start + inwards * moves)


def warp(images: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Map the corners ``start`` to ``end``, each (N, 4, 2) as x, y in pixels, bilinearly, per image."""
    n, _, height, width = images.shape
    homography = _homography(end, start)  # from output to input positions
    rows, columns = (torch.arange(side, dtype=torch.float64) + 0.5 for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], dim=-1).view(1, -1, 3)
    mapped = points @ homography.transpose(1, 2)
    grid = mapped[..., :2] / mapped[..., 2:] / torch.tensor([width, height]) * 2 - 1
    grid = moved(grid.view(n, height, width, 2).to(images.dtype), images.device)
    # the mask fades the border to 0 as the pixels are, so that nothing bleeds in from outside
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _homography(source: Tensor, target: Tensor) -> Tensor:
    """3x3 matrices that take the four points ``source`` to ``target``, both (N, 4, 2) -> (N, 3, 3)."""
    x, y = source.unbind(-1)
    u, v = target.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    upper = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    lower = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    solution = torch.linalg.solve(torch.cat([upper, lower], dim=1), torch.cat([u, v], dim=1))
    return torch.cat([solution, torch.ones_like(solution[:, :1])], dim=1).view(-1, 3, 3)


def sharpen(images: Tensor, generator: Generator) -> Tensor:
    """Away from the mean of 3x3 pixels, the middle one counted five times, by :data:`SHARPNESS`; the border stays."""
    from torchvision.transforms.v2 import functional as transforms

    sharper: Tensor = transforms.adjust_sharpness(images, SHARPNESS)
    return sharper


def autocontrast(images: Tensor, generator: Generator) -> Tensor:
    """Stretch each channel of each image to [0, 1]; a constant one stays."""
    from torchvision.transforms.v2 import functional as transforms

    stretched: Tensor = transforms.autocontrast(images)
    return stretched


def crop(images: Tensor, generator: Generator) -> Tensor:
    """Cut out the central 2/3 and resize it back, bilinearly."""
    from torchvision.transforms.v2 import functional as transforms

    height, width = images.shape[-2:]
    centre = transforms.center_crop(images, [height * 2 // 3, width * 2 // 3])
    resized: Tensor = transforms.resize(centre, [height, width], antialias=True)
    return resized


def blur(images: Tensor, generator: Generator) -> Tensor:
    """Gaussian blur with a 5x9 kernel and sigma 0.1 to 2, one sigma per image."""
    return gaussian_blur(images, uniform(len(images), 0.1, 2.0, generator))


def gaussian_blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Blur each image with its own sigma, shape (N,), reflecting at the border."""
    n, channels, height, width = images.shape
    across, down = BLUR_KERNEL
    padded = functional.pad(images, (across // 2, across // 2, down // 2, down // 2), mode="reflect")
    rows = padded.reshape(1, n * channels, *padded.shape[-2:])
    for size, shape in ((down, (-1, 1, down, 1)), (across, (-1, 1, 1, across))):
        offsets = torch.arange(size) - size // 2
        kernels = torch.softmax(-0.5 * (offsets / sigmas[:, None]) ** 2, dim=1)
        kernels = moved(kernels.repeat_interleave(channels, 0).view(shape).to(images.dtype), images.device)
        rows = functional.conv2d(rows, kernels, groups=n * channels)
    return rows.view(n, channels, height, width)


AUGMENTATIONS = (flip, erase, perspective, sharpen, autocontrast, crop, blur)


def augment(images: Tensor, generator: Generator) -> Tensor:
    """One augmentation for each image, chosen uniformly, then clamped to [0, 1].

    Shapes: (N, C, H, W) -> (N, C, H, W).
    """
    choice = torch.randint(len(AUGMENTATIONS), (len(images),), generator=generator)
    groups = [(choice == index).nonzero().flatten() for index in range(len(AUGMENTATIONS))]
    order = torch.cat(groups)
    there, back = (moved(each, images.device) for each in (order, order.argsort()))
    parts = images[there].split([len(group) for group in groups])
    changed = [change(part, generator) for change, part in zip(AUGMENTATIONS, parts, strict=True) if len(part)]
    return torch.empty_like(images).copy_(torch.cat(changed)[back]).clamp_(0.0, 1.0)
