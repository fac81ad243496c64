"""Tasks: what a target model is asked for. The labels of a dataset, a CelebA attribute set, or a part of the classes."""

import re
from dataclasses import dataclass

from vicious.data.catalog import CATALOG, CELEBA_SETS

_NAME = re.compile(r"(?P<dataset>[a-z0-9_]+?)(?:-(?P<attributes>k[0-9]+)|-classes(?P<classes>[0-9]+))?")


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
        """The task's name in paths: ``mnist``, ``celeba-k5``, ``cifar100-classes20``."""
        if self.attributes is not None:
            return f"{self.dataset}-{self.attributes}"
        return self.dataset if self.classes is None else f"{self.dataset}-classes{self.classes}"

    @property
    def title(self) -> str:
        """The task's name for readers: "MNIST", "CelebA, 5 attributes", "CIFAR-100, 20 classes"."""
        title = CATALOG[self.dataset].title
        if self.attributes is not None:
            return f"{title}, {self.outputs} attribute{'s' if self.outputs > 1 else ''}"
        return title if self.classes is None else f"{title}, {self.classes} classes"

    @property
    def outputs(self) -> int:
        """Number K of outputs of the target model."""
        if self.attributes is not None:
            return len(CELEBA_SETS[self.attributes])
        return CATALOG[self.dataset].classes if self.classes is None else self.classes


def parse_task(name: str) -> Task:
    """The task of a name as in paths.

    Raises:
        ValueError: it is no task's name.
    """
    found = _NAME.fullmatch(name)
    if found is None or found["dataset"] not in CATALOG or found["attributes"] not in (None, *CELEBA_SETS):
        raise ValueError(f"{name!r} is no task: a dataset, perhaps with -k<attributes> or -classes<number>")
    return Task(found["dataset"], found["attributes"], int(found["classes"]) if found["classes"] else None)
