"""Tasks: what a target model is asked for. The labels of a dataset, a CelebA attribute set, or a part of the classes."""

import re
from dataclasses import dataclass

CELEBA_SETS: dict[str, tuple[int, ...]] = {
    "k1": (31,),
    "k2": (8, 31),
    "k3": (8, 20, 31),
    "k4": (2, 8, 20, 31),
    "k5": (2, 8, 19, 20, 31),
    "k6": (2, 8, 18, 19, 20, 31),
    "k7": (2, 8, 18, 20, 31, 36, 39),
    "k8": (2, 8, 18, 20, 31, 33, 36, 39),
    "k9": (2, 8, 18, 19, 20, 31, 33, 36, 39),
    "k10": (2, 8, 11, 18, 19, 20, 31, 33, 36, 39),
    "k15": (1, 2, 6, 7, 8, 18, 19, 20, 21, 25, 27, 31, 33, 36, 39),
    "k20": (1, 2, 3, 6, 7, 8, 11, 18, 19, 20, 21, 24, 25, 27, 31, 32, 33, 34, 36, 39),
    "k30": (
        *(0, 1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 15, 18, 19, 20, 21, 23, 24, 25, 27, 28, 31, 32, 33, 34, 36, 37, 38),
        39,
    ),
    "k40": tuple(range(40)),
}
"""Attribute sets of growing size K that the original study lists: columns of list_attr_celeba.txt, from 0."""

_NAME = re.compile(r"(?P<dataset>[a-z0-9_]+?)(?:[-/](?:(?P<attributes>k[0-9]+)|classes(?P<classes>[0-9]+)))?")


@dataclass(frozen=True)
class Task:
    """What a target model is asked for.

    Attributes:
        dataset: key of the catalogue.
        attributes: CelebA attribute set; None for all attributes, and for other datasets.
        classes: number of the dataset's classes that are used; None for all.
    """

    dataset: str
    attributes: str | None = None
    classes: int | None = None

    def __str__(self) -> str:
        """The task's name: ``mnist``, ``celeba-k5``, ``cifar100-classes20``."""
        if self.attributes is not None:
            return f"{self.dataset}-{self.attributes}"
        return self.dataset if self.classes is None else f"{self.dataset}-classes{self.classes}"

    @property
    def folder(self) -> str:
        """The task's folder: ``mnist``, ``celeba/k5``, ``cifar100/classes20``."""
        return str(self).replace("-", "/")

    def titled(self, dataset: str) -> str:
        """The task's name for readers, by its dataset's: "MNIST", "CelebA, 5 attributes", "CIFAR-100, 20 classes"."""
        if self.attributes is not None:
            count = len(CELEBA_SETS[self.attributes])
            return f"{dataset}, {count} attribute{'s' if count > 1 else ''}"
        return dataset if self.classes is None else f"{dataset}, {self.classes} classes"


def parse_task(name: str) -> Task:
    """The task of its name, or of its folder (``celeba/k5``); whether there is such a dataset is not looked up.

    Raises:
        ValueError: it is no task's name.
    """
    found = _NAME.fullmatch(name)
    if found is None or found["attributes"] not in (None, *CELEBA_SETS):
        raise ValueError(f"{name!r} is no task: a dataset, perhaps with -k<attributes> or -classes<number>")
    return Task(found["dataset"], found["attributes"], int(found["classes"]) if found["classes"] else None)
