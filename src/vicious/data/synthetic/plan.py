"""What one synthetic stand-in consists of, and the seeded generators and labels that all writers share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vicious.data.facts import Dataset
from vicious.system.progress import Progress
from vicious.system.randomness import derive_seed


@dataclass(frozen=True)
class Plan:
    """One synthetic stand-in to be written; ``counts`` are the numbers of train, validation and test images."""

    entry: Dataset
    root: Path
    counts: tuple[int, int, int]
    seed: int
    progress: Progress

    def path(self, number: int) -> Path:
        """Where the dataset's official file ``number`` lies."""
        return self.root / self.entry.files[number].path

    def official_counts(self) -> dict[str, int]:
        """Images of the official train and test files, where train includes what is later cut off for validation."""
        train, validation, test = self.counts
        return {"train": train + validation, "test": test}

    def generator(self, split: str, purpose: str, index: int) -> np.random.Generator:
        """The generator of one item; it depends on nothing drawn before."""
        return np.random.default_rng(derive_seed(self.seed, "synthetic", self.entry.name, split, purpose, index))

    def labels(self, split: str, count: int) -> np.ndarray:
        """Class numbers (count,), int64: a fresh permutation of all classes after another, so counts differ by one."""
        classes = self.entry.classes
        rounds = [self.generator(split, "labels", turn).permutation(classes) for turn in range(-(-count // classes))]
        return np.concatenate([np.empty(0, np.int64), *rounds])[:count]

    def images(
        self, split: str, labels: np.ndarray, draw: Callable[[int, np.random.Generator], np.ndarray], start: int = 0
    ) -> Iterator[np.ndarray]:
        """Draw the images of ``labels`` one by one; ``start`` is the split's index of the first."""
        for index, label in enumerate(labels.tolist(), start):
            yield draw(label, self.generator(split, "image", index))
            self.progress.advance(1)


def write_synthetic(dataset: Dataset, root: Path, train: int, validation: int, test: int, seed: int = 0) -> list[Path]:
    """Write the synthetic stand-in of ``dataset`` below ``root``, where its official files would lie.

    Where a format has no validation split of its own, the official train files hold train and validation images
    together. Same arguments, same bytes; memory stays flat however many images are drawn.

    Args:
        train, validation, test: numbers of images.
        seed: another seed draws other images and labels.

    Returns:
        The files written, in the order of the dataset's.

    Raises:
        ValueError: a number of images is negative.
    """
    counts = (train, validation, test)
    if min(counts) < 0:
        raise ValueError(f"numbers of images must not be negative, got {counts}")
    with Progress(sum(counts), f"{dataset.title} (synthetic stand-in)") as progress:
        return dataset.draw(Plan(dataset, root, counts, seed, progress))
