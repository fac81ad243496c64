"""Tasks: what a target model is asked for: all labels, a set of attributes, some of the classes, or groups of them."""

import re
from dataclasses import dataclass

from vicious.data.datasets import dataset_names, find_dataset

_NAME = re.compile(r"([a-z0-9_]+)(?:[-/](?:classes([0-9]+)|merged([0-9]+)|([a-z0-9_]+)))?")


@dataclass(frozen=True)
class Task:
    """What a target model is asked for.

    Attributes:
        dataset: its name.
        attributes: name of a set of the dataset's attributes; None for all labels.
        classes: number of the dataset's classes that are used; None for all.
        merged: number of groups that its classes are merged into, of all images; None for classes of their own.
    """

    dataset: str
    attributes: str | None = None
    classes: int | None = None
    merged: int | None = None

    def __str__(self) -> str:
        """The task's name: ``mnist``, ``celeba-k5``, ``cifar100-classes20``, ``cifar100-merged20``."""
        if self.attributes is not None:
            return f"{self.dataset}-{self.attributes}"
        if self.merged is not None:
            return f"{self.dataset}-merged{self.merged}"
        return self.dataset if self.classes is None else f"{self.dataset}-classes{self.classes}"

    @property
    def folder(self) -> str:
        """The task's folder: ``mnist``, ``celeba/k5``, ``cifar100/classes20``."""
        return str(self).replace("-", "/")

    def titled(self, title: str) -> str:
        """The task's name for readers, by its dataset's: "MNIST", "CelebA, 5 attributes", "CIFAR-100, 20 classes",
        "CIFAR-100, 20 groups of classes"."""
        if self.attributes is not None:
            count = len(find_dataset(self.dataset).attribute_sets[self.attributes])
            return f"{title}, {count} attribute{'s' if count > 1 else ''}"
        if self.merged is not None:
            return f"{title}, {self.merged} groups of classes"
        return title if self.classes is None else f"{title}, {self.classes} classes"


def parse_task(name: str) -> Task:
    """The task of its name, or of its folder (``celeba/k5``); raises ValueError where it is none. A dataset is looked
    up only for its attribute sets."""
    found = _NAME.fullmatch(name)
    dataset, classes, merged, attributes = found.groups() if found else ("", None, None, None)
    known = find_dataset(dataset).attribute_sets if attributes and dataset in dataset_names() else {}
    if not dataset or (attributes and attributes not in known):
        raise ValueError(
            f"{name!r} is no task: a dataset, perhaps with -<attribute set>, -classes<number> or -merged<number>"
        )
    return Task(dataset, attributes, int(classes) if classes else None, int(merged) if merged else None)
