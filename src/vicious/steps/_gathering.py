"""What the steps that gather assessments share."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from vicious.results.files import assessment_files
from vicious.steps import Files, Step


class Gathering(Step):
    """A step that gathers the assessments of an experiment."""

    GROUP: ClassVar[str | None] = "report_{experiment}"

    results: Annotated[list[Path], Files(lambda file: assessment_files(file)[:2])] = Field(
        min_length=1, description="JSON summaries written by assess-risk"
    )
