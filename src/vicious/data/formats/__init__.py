"""Readers of the six official on-disk formats, behind one interface."""

from pathlib import Path

from vicious.data.catalog import CATALOG
from vicious.data.formats.raw import RawDataset, RawSplit
from vicious.system.errors import ConfigError

__all__ = ["RawDataset", "RawSplit", "open_raw"]


def open_raw(dataset: str, root: Path) -> RawDataset:
    """Open the official files of ``dataset`` below ``root``, where the catalog says they lie.

    Labels are read at once; images one by one when asked for, straight from the archives.

    Raises:
        ConfigError: the dataset is unknown.
        DataError: a file is missing, damaged or inconsistent.
    """
    if dataset not in CATALOG:
        raise ConfigError(f"unknown dataset {dataset!r}: choose from {', '.join(CATALOG)}")
    spec = CATALOG[dataset]
    first = root / spec.files[0].path
    if dataset in ("mnist", "fashion_mnist"):
        from vicious.data.formats.idx import open_idx

        return open_idx(first.parent, spec.classes)
    if dataset in ("cifar10", "cifar100"):
        from vicious.data.formats.cifar import open_cifar

        return open_cifar(dataset, first)
    if dataset == "tiny_imagenet":
        from vicious.data.formats.tiny_imagenet import open_tiny_imagenet

        return open_tiny_imagenet(first, spec.classes)
    from vicious.data.formats.celeba import open_celeba

    return open_celeba(first.parent)
