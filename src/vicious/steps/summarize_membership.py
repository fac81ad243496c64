"""Join what the losses of all target models tell of their training images into one CSV."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from vicious.steps import Files, Identity, Step, Written


class SummarizeMembership(Step):
    """Join what the losses of all target models tell of their training images into one CSV, a row each."""

    GROUP: ClassVar[str | None] = "report_main"

    results: Annotated[list[Path], Files()] = Field(min_length=1, description="JSONs written by measure-membership")
    out: Written = Field(description="CSV to write")

    def run(self, identity: Identity) -> None:
        from vicious.results.memberships import write_membership

        write_membership(self.results, self.out)
