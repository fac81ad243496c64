"""What the steps that gather assessments share."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from vicious.steps import Step


class Gathering(Step):
    """A step that gathers the assessments of an experiment."""

    GROUP: ClassVar[str | None] = "report_{experiment}"

    results: list[Path] = Field(min_length=1, description="JSON summaries written by assess-risk")

    def reads(self) -> list[Path]:
        return [*self.results, *(file.with_suffix(".parquet") for file in self.results)]
