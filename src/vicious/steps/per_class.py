"""Measures by class, and accuracy by attribute."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from vicious.steps import Identity
from vicious.steps._gathering import Gathering


class PerClass(Gathering):
    """Measures by class, and accuracy by attribute."""

    GROUP: ClassVar[str | None] = "report_main"

    classes: Path = Field(description="CSV to write, a row per model and class")
    attributes: Path = Field(description="CSV to write, a row per model and attribute")

    def writes(self) -> list[Path]:
        return [self.classes, self.attributes]

    def record(self) -> Path:
        return self.classes.with_suffix(".provenance.json")

    def run(self, identity: Identity) -> None:
        from vicious.results.per_class import write_per_class

        write_per_class(self.results, self.classes, self.attributes)
