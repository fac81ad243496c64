"""Reading what ``prepare`` wrote: memory-mapped uint8 arrays and the facts about them. It needs numpy alone."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict

from vicious.data.datasets import find_dataset
from vicious.data.splits import SIDE, SPLITS, Split
from vicious.data.tasks import Task
from vicious.system.errors import DataError
from vicious.system.files import check_regular, digest
from vicious.system.randomness import derive_seed
from vicious.system.settings import Count, NameIn, Outputs, Seed, Share
from vicious.system.typed_json import UntypedError, read_typed

INFO_NAME = "dataset.json"
_AGAIN = "run the prepare step again"
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    TypeError,
    SyntaxError,
    TokenError,
    RecursionError,
    MemoryError,
    OverflowError,
)
"""What numpy raises for a damaged header, which it reads as Python."""


@dataclass(frozen=True)
class PreparedInfo:
    """The facts in dataset.json.

    Attributes:
        channels: 1 or 3.
        classes: number of classes, or of attributes where ``multilabel``.
        multilabel: labels are 0/1 vectors.
        label_names: names of the classes or attributes; empty where unknown.
        n: number of images per split.
        mean, std: per channel, over all pixels of the train images, in [0, 1].
        synthetic, source: whether the images are drawn stand-ins; "official" or "synthetic".
        split_seed: seed of the split and of the subsets.
        files: the verified files that the images came from.
        arrays: SHA-256 of each array's file, by its name.
        fingerprint: SHA-256 over the arrays and the settings.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Annotated[str, NameIn("vicious.data.datasets")]
    title: str
    channels: Literal[1, 3]
    classes: Outputs
    multilabel: bool
    label_names: tuple[str, ...]
    n: dict[str, Count]
    mean: tuple[Share, ...]
    std: tuple[Share, ...]
    synthetic: bool
    source: Literal["official", "synthetic"]
    split_seed: Seed
    files: tuple[dict[str, Any], ...]
    arrays: dict[str, str]
    fingerprint: str


def images_name(split: str) -> str:
    """File name of a split's images."""
    return f"{split}_images.npy"


def labels_name(split: str) -> str:
    """File name of a split's labels."""
    return f"{split}_labels.npy"


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared folder, or what a task uses of it.

    Attributes:
        folder: that ``prepare`` wrote.
        info: the facts; after :meth:`restrict` those of the task.
        task: the task's name, the dataset's where all labels are used.
        outputs_used: columns of attributes, or classes, that the task uses, ascending; None for all.
        groups: for each class, the group that it is merged into; None where classes are not merged.
        chosen: per split, the images that are used, ascending; those of a split that is not named are all used.
        whole: the facts before :meth:`restrict` and :meth:`fewer`; None for a whole dataset.
    """

    folder: Path
    info: PreparedInfo
    task: str
    outputs_used: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None
    chosen: dict[str, np.ndarray] = field(default_factory=dict)
    whole: PreparedInfo | None = None

    def images(self, split: Split) -> np.ndarray:
        """Images of a split, uint8 (N, C, 32, 32) in [0, 255]: read-only and memory-mapped where all are used; raises
        DataError where the file is missing or not what dataset.json says."""
        images = self._load(images_name(split), split, np.dtype(np.uint8), (self.info.channels, SIDE, SIDE))
        return images[self.chosen[split]] if split in self.chosen else images

    def labels(self, split: Split) -> np.ndarray:
        """Labels of a split in memory: int64 (N,) class numbers, or uint8 (N, K) zeros and ones; raises DataError as
        :meth:`images`, and where a label is out of range."""
        used = self.outputs_used
        if self.info.multilabel:
            labels = self._load(labels_name(split), split, np.dtype(np.uint8), ((self.whole or self.info).classes,))
            labels = self._chosen(labels if used is None else labels[:, used], split)
        else:
            labels = self._chosen(self._load(labels_name(split), split, np.dtype(np.int64), ()), split)
            if used is not None:
                labels = np.searchsorted(used, labels)
        outputs = self.info.classes if self.groups is None else len(self.groups)
        largest = 1 if self.info.multilabel else outputs - 1
        if labels.min() < 0 or labels.max() > largest:
            raise DataError(f"{self.folder / labels_name(split)} has labels outside 0 to {largest}: {_AGAIN}")
        return labels if self.groups is None else np.array(self.groups)[labels]

    def _chosen(self, labels: np.ndarray, split: Split) -> np.ndarray:
        return np.array(labels[self.chosen[split]] if split in self.chosen else labels)

    def fewer(self, train: int) -> "PreparedDataset":
        """At most so many training images, and the same share of the validation images, drawn once for a dataset: fewer
        are a part of more."""
        n = self.info.n["train"]
        if train >= n:
            return self
        chosen, counts = dict(self.chosen), dict(self.info.n)
        for split in ("train", "validation"):
            counts[split] = max(1, round(self.info.n[split] * train / n))
            generator = np.random.default_rng(derive_seed(self.info.split_seed, "fewer images", split))
            places = np.sort(generator.permutation(self.info.n[split])[: counts[split]])
            chosen[split] = self.chosen[split][places] if split in self.chosen else places
        info = replace(self.info, n=counts)
        return replace(self, chosen=chosen, info=info, whole=self.whole or self.info)

    def restrict(
        self, attributes: str | None = None, classes: int | None = None, as_many_as: int | None = None
    ) -> "PreparedDataset":
        """What a task uses of this dataset: some attributes, or the images of some classes.

        Which classes are used is drawn once for a dataset, such that fewer are a part of more. Of their images as many
        are used, in each split, as ``as_many_as`` classes have: the number of outputs then changes and the number of
        images does not. Which images, and how varied they are, still changes with the classes.

        Raises:
            DataError: the dataset has no attributes, or not so many classes, or is restricted already.
        """
        task = Task(self.info.name, attributes, classes)
        if attributes is None and classes is None:
            return self
        if self.outputs_used is not None or self.groups is not None or (attributes is not None) != self.info.multilabel:
            raise DataError(f"{self.info.title} cannot be restricted to {task}: use attributes or classes that it has")
        if attributes is not None:
            sets = find_dataset(self.info.name).attribute_sets
            if attributes not in sets:
                raise DataError(f"{self.info.title} has no attribute set {attributes}: use one of {', '.join(sets)}")
            used, chosen = sets[attributes], self.chosen  # of all images
        else:
            assert classes is not None
            used, chosen = self._choose_classes(classes, as_many_as or classes)
        info = replace(
            self.info,
            title=task.titled(self.info.title),
            classes=len(used),
            label_names=tuple(self.info.label_names[index] for index in used) if self.info.label_names else (),
            n=self.info.n | {split: len(indices) for split, indices in chosen.items()},
        )
        return replace(self, task=str(task), outputs_used=used, chosen=chosen, info=info, whole=self.info)

    def merge(self, groups: int) -> "PreparedDataset":
        """All images of this dataset, and its classes in so many groups of equal size, or of sizes that differ by one.

        The number of outputs then changes, and the images do not. Which classes are together is drawn once for a
        dataset. Where one number divides another, its groups are unions of the other's.

        Raises:
            DataError: the dataset has attributes, has not so many classes, or is restricted or merged already.
        """
        task = Task(self.info.name, merged=groups)
        if self.info.multilabel or self.outputs_used is not None or self.groups is not None:
            raise DataError(
                f"{self.info.title} cannot be merged to {task}: use all classes of a dataset that has classes"
            )
        if not 2 <= groups <= self.info.classes:
            raise DataError(
                f"{self.info.title} has {self.info.classes} classes: cannot merge them into {groups} groups"
            )
        order = np.random.default_rng(derive_seed(self.info.split_seed, "merged classes")).permutation(
            self.info.classes
        )
        group = np.empty(self.info.classes, dtype=np.int64)
        group[order] = np.arange(self.info.classes) % groups
        names = self.info.label_names or [""] * self.info.classes
        together = [" or ".join(names[index] for index in np.flatnonzero(group == one)) for one in range(groups)]
        info = replace(
            self.info,
            title=task.titled(self.info.title),
            classes=groups,
            label_names=tuple(together) if self.info.label_names else (),
        )
        used = tuple(group.tolist())
        return replace(self, task=str(task), groups=used, info=info, whole=self.whole or self.info)

    def of_task(self, task: Task, as_many_as: int | None = None) -> "PreparedDataset":
        """What a task uses of this dataset: as :meth:`restrict`, or as :meth:`merge`, and raises as they do, and where
        it is to do both."""
        if task.merged is not None:
            if (task.attributes, task.classes, as_many_as) != (None, None, None):
                raise DataError(
                    f"{self.info.title}: classes are merged of all images: leave out attributes, or numbers of classes"
                )
            return self.merge(task.merged)
        return self.restrict(task.attributes, task.classes, as_many_as)

    def _choose_classes(self, classes: int, fewest: int) -> tuple[tuple[int, ...], dict[str, np.ndarray]]:
        """So many classes, and per split as many of their images as ``fewest`` of them have."""
        if not fewest <= classes <= self.info.classes:
            raise DataError(
                f"{self.info.title} has {self.info.classes} classes: cannot use {classes}, with the images of {fewest}"
            )
        order = np.random.default_rng(derive_seed(self.info.split_seed, "classes")).permutation(self.info.classes)
        chosen: dict[str, np.ndarray] = {}
        for split in SPLITS:
            labels = self.labels(split)
            available = np.flatnonzero(np.isin(labels, order[:classes]))
            count = int(np.isin(labels, order[:fewest]).sum())
            if not count:
                raise DataError(f"{self.info.title}: no {split} image of {fewest} classes: use more images or classes")
            generator = np.random.default_rng(derive_seed(self.info.split_seed, "images of classes", split))
            chosen[split] = np.sort(generator.permutation(available)[:count])
        return tuple(np.sort(order[:classes]).tolist()), chosen

    def _load(self, name: str, split: Split, dtype: np.dtype[Any], of_one: tuple[int, ...]) -> np.ndarray:
        """The array of a whole split, memory-mapped, whose images or labels have the shape ``of_one``."""
        shape = ((self.whole or self.info).n[split], *of_one)
        path = self.folder / name
        try:
            check_regular(path)
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing: {_AGAIN}") from error
        except UNREADABLE as error:
            raise DataError(f"{path} is damaged ({error}): {_AGAIN}") from error
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "no plain array"
            raise DataError(f"{path} holds {found}, dataset.json says {dtype} {shape}: {_AGAIN}")
        if _sha256(path, path.stat().st_mtime_ns) != self.info.arrays.get(name):
            raise DataError(f"{path} holds other images or labels than {INFO_NAME} beside it tells of: {_AGAIN}")
        return array


@cache
def _sha256(path: Path, _changed: int) -> str:
    """SHA-256 of a file, taken once in a process as long as the file is not changed."""
    return digest(path)


def load_prepared(folder: Path) -> PreparedDataset:
    """Open the folder that ``prepare`` wrote; raises a DataError where its dataset.json is missing or damaged."""
    path = Path(folder) / INFO_NAME
    try:
        info = read_typed(path, PreparedInfo)
    except UntypedError as error:
        raise DataError(f"{error}: the data was not prepared to the end; {_AGAIN}") from None
    named = len(info.label_names) in (0, info.classes)
    if info.n.keys() != set(SPLITS) or not named or {len(info.mean), len(info.std)} != {info.channels}:
        raise DataError(
            f"{path}: expected n of each split, a mean and a std for each channel, and label names for all classes or "
            f"none: {_AGAIN}"
        )
    return PreparedDataset(Path(folder), info, info.name)
