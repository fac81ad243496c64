"""What an attacker has: by default the training images of the target model, and an attack model's usual budget."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vicious.system.errors import DataError
from vicious.system.settings import shortened


@dataclass(frozen=True)
class Means:
    """What an attacker has in place of the study's.

    Attributes:
        budget: times the usual budget of an attack model (its epochs, or what its file calls ``BUDGET``).
        images: most training images, and the same share of the validation images; None: all. What is trained sees them
            the more often: see :meth:`longer`.
        of: the dataset that the images are from; "": that of the target model.
    """

    budget: int = 1
    images: int | None = None
    of: str = ""

    def longer(self, images: int) -> int:
        """Times as many epochs over fewer training images, so that there are about as many steps as with all.

        Args:
            images: training images of the target model.
        """
        return 1 if self.images is None else max(1, round(images / self.images))

    def __str__(self) -> str:
        """Their name in paths and results: "" for the study's, ``budget2``, ``images500``, ``of_fashion_mnist``."""
        parts = [f"budget{self.budget}"] if self.budget != 1 else []
        parts += [f"images{self.images}"] if self.images is not None else []
        parts += [f"of_{self.of}"] if self.of else []
        return "-".join(parts)


def parse_means(name: str) -> Means:
    """The inverse of :meth:`Means.__str__`; raises DataError for what is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise DataError(
            f"{shortened(name)} does not name an attacker's means, as budget2, images500 and of_mnist do: run the step "
            "that writes it again"
        )
    budget, images, of = found.groups()
    return Means(int(budget or 1), None if images is None else int(images), of or "")


_NAME = re.compile(r"(?:budget(\d{1,9}))?(?:-?images(\d{1,9}))?(?:-?of_([a-z0-9_]+))?", re.ASCII)
STUDYS = Means()
"""The study's: all training images of the target model, and the usual budget."""
