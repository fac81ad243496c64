"""Choose the best of all attacks on a target model, for each measure."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from vicious.results.files import assessment_files
from vicious.steps import Files, Identity, Stage, Step
from vicious.steps._needs import Cost, Work, assessment_cost
from vicious.steps.assess_risk import COLUMNS


class ChooseBest(Step):
    """Choose the best of all attacks on a target model, for each measure, on validation images."""

    STAGE: ClassVar[Stage] = "assessments"
    GROUP: ClassVar[str | None] = "best_{task}"

    results: Annotated[list[Path], Files(assessment_files)] = Field(
        min_length=1, description="JSON summaries written by assess-risk, of every attack on the target model"
    )
    out: Annotated[Path, Files(assessment_files, written=True)] = Field(
        description="JSON to write; three more files beside"
    )

    def cost(self, work: Work) -> Cost:
        return Cost(disk=assessment_cost(work, columns=COLUMNS).disk)

    def run(self, identity: Identity) -> None:
        from vicious.results.best import write_best

        write_best(self.results, self.out)
