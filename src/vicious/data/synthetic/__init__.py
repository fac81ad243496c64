"""Synthetic stand-ins: every dataset drawn procedurally and written in its official on-disk format.

They are no data about the world. They exist so that the whole study runs without a network, and so that the loaders for
real data are the ones exercised. Each image depends on the dataset, the seed, the official split and its index alone, so a
longer stand-in extends a shorter one; labels are as balanced as possible, in shuffled order.
"""

from collections.abc import Callable
from pathlib import Path

from vicious.data.catalog import CATALOG
from vicious.data.synthetic.celeba import write_celeba
from vicious.data.synthetic.cifar import write_cifar
from vicious.data.synthetic.idx import write_idx
from vicious.data.synthetic.plan import Plan
from vicious.data.synthetic.tiny_imagenet import write_tiny_imagenet
from vicious.system.progress import Progress

__all__ = ["write_synthetic"]

_WRITERS: dict[str, Callable[[Plan], list[Path]]] = {
    "mnist": write_idx,
    "fashion_mnist": write_idx,
    "cifar10": write_cifar,
    "cifar100": write_cifar,
    "tiny_imagenet": write_tiny_imagenet,
    "celeba": write_celeba,
}


def write_synthetic(dataset: str, root: Path, train: int, validation: int, test: int, seed: int = 0) -> list[Path]:
    """Write the synthetic stand-in of ``dataset`` below ``root``, at the catalog's paths.

    Where a format has no validation split of its own (all but CelebA), the official train files hold train and
    validation images together. Same arguments, same bytes; memory stays flat however many images are drawn.

    Args:
        dataset: key of the catalog.
        root: data root in torchvision's layout; created where absent.
        train, validation, test: numbers of images.
        seed: another seed draws other images and labels.

    Returns:
        The files written, in the catalog's order.

    Raises:
        ValueError: the dataset is unknown or a number of images is negative.
        StorageError: the file system refuses to write.
    """
    if dataset not in _WRITERS:
        raise ValueError(f"no synthetic stand-in of {dataset!r}; there are {', '.join(_WRITERS)}")
    counts = (train, validation, test)
    if min(counts) < 0:
        raise ValueError(f"numbers of images must not be negative, got {counts}")
    entry = CATALOG[dataset]
    with Progress(sum(counts), f"{entry.title} (synthetic stand-in)") as progress:
        return _WRITERS[dataset](Plan(entry, Path(root), counts, seed, progress))
