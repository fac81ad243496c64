"""Exit with an error if a cell of an experiment failed."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from vicious.steps import Files, Identity, Read, Stage, Step, Written


class CheckComplete(Step):
    """Exit with an error if a cell of an experiment failed."""

    STAGE: ClassVar[Stage] = "figures"
    LOCAL: ClassVar[bool] = True

    summary: Read = Field(description="CSV written by summarize")
    scores: Annotated[Path | None, Files()] = Field(
        default=None, description="CSV written by summarize-defense, whose verdicts count too"
    )
    out: Written = Field(description="text file to write if none failed")

    def record(self) -> None:
        return None

    def run(self, identity: Identity) -> None:
        from vicious.defense.evaluation.collect import failed_verdicts
        from vicious.results.summaries import check_complete
        from vicious.system.files import write_text

        verdicts = [] if self.scores is None else failed_verdicts(self.scores)
        write_text(self.out, f"{check_complete(self.summary, verdicts)} cells, none failed\n")
