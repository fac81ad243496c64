"""Measures by class, and accuracy by attribute."""

from typing import ClassVar

from pydantic import Field

from vicious.steps import Identity, Written
from vicious.steps._gathering import Gathering


class PerClass(Gathering):
    """Measures by class, and accuracy by attribute."""

    GROUP: ClassVar[str | None] = "report_main"

    classes: Written = Field(description="CSV to write, a row per model and class")
    attributes: Written = Field(description="CSV to write, a row per model and attribute")

    def run(self, identity: Identity) -> None:
        from vicious.results.per_class import write_per_class

        write_per_class(self.results, self.classes, self.attributes)
