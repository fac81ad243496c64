"""Reading what ``prepare`` wrote: memory-mapped uint8 arrays and the facts about them.

Training, attacks and metrics import this module, so it needs numpy alone.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from vicious.data.splits import SIDE, SPLITS, Split
from vicious.errors import DataError
from vicious.files import read_json

INFO_NAME = "dataset.json"
_AGAIN = "run the prepare step again"


@dataclass(frozen=True)
class PreparedInfo:
    """The facts in dataset.json.

    Attributes:
        name, title: key and name of the dataset.
        channels: 1 or 3.
        classes: number of classes, or of attributes where ``multilabel``.
        multilabel: labels are 0/1 vectors.
        label_names: names of the classes or attributes; empty where unknown.
        n: number of images per split.
        mean, std: per channel, over all pixels of the train images, in [0, 1].
        synthetic: the images are drawn stand-ins.
        source: "official" or "synthetic".
        attributes: name of the attribute set; None for other datasets than CelebA.
        split_seed: seed of the split and of the subsets.
        files: the verified files that the images came from.
        fingerprint: SHA-256 over the arrays and the settings.
    """

    name: str
    title: str
    channels: int
    classes: int
    multilabel: bool
    label_names: tuple[str, ...]
    n: dict[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    synthetic: bool
    source: str
    attributes: str | None
    split_seed: int
    files: tuple[dict[str, Any], ...]
    fingerprint: str


def images_name(split: str) -> str:
    """File name of a split's images."""
    return f"{split}_images.npy"


def labels_name(split: str) -> str:
    """File name of a split's labels."""
    return f"{split}_labels.npy"


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared folder: ``info`` and, opened when asked for, the arrays."""

    folder: Path
    info: PreparedInfo

    def images(self, split: Split) -> np.ndarray:
        """Images of a split, uint8 (N, C, 32, 32) in [0, 255], read-only and memory-mapped.

        Raises:
            DataError: the file is missing or is not what dataset.json says.
        """
        expected = (self.info.n[split], self.info.channels, SIDE, SIDE)
        return self._load(images_name(split), np.dtype(np.uint8), expected)

    def labels(self, split: Split) -> np.ndarray:
        """Labels of a split in memory: int64 (N,) class numbers, or uint8 (N, K) zeros and ones.

        Raises:
            DataError: the file is missing or is not what dataset.json says, or a label is out of range.
        """
        n, several = self.info.n[split], self.info.multilabel
        shape, dtype = ((n, self.info.classes), np.uint8) if several else ((n,), np.int64)
        labels = np.array(self._load(labels_name(split), np.dtype(dtype), shape))
        largest = 1 if several else self.info.classes - 1
        if labels.min() < 0 or labels.max() > largest:
            raise DataError(f"{self.folder / labels_name(split)} has labels outside 0 to {largest}: {_AGAIN}")
        return labels

    def _load(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing: {_AGAIN}") from error
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} is damaged ({error}): {_AGAIN}") from error
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "no plain array"
            raise DataError(f"{path} holds {found}, dataset.json says {dtype} {shape}: {_AGAIN}")
        return array


def load_prepared(folder: Path) -> PreparedDataset:
    """Open the folder that ``prepare`` wrote.

    Raises:
        DataError: dataset.json is missing or damaged; names it, and the step to run again.
    """
    path = Path(folder) / INFO_NAME
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing, so the data was not prepared to the end: {_AGAIN}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}): {_AGAIN}") from error
    names = {field.name for field in fields(PreparedInfo)}
    whole = isinstance(content, dict) and content.keys() == names and isinstance(content["n"], dict)
    if not whole or content["n"].keys() != set(SPLITS):
        raise DataError(f"{path} does not hold what this version writes: {_AGAIN}")
    tuples = {name: tuple(content[name]) for name in ("label_names", "mean", "std", "files")}
    return PreparedDataset(Path(folder), PreparedInfo(**{**content, **tuples}))
