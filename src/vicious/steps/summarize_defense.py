"""Join all detector scores, and how they separate honest from vicious models."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from vicious.steps import Files, Identity, Step, Written


class SummarizeDefense(Step):
    """Join all detector scores, and how they separate honest from vicious models."""

    GROUP: ClassVar[str | None] = "report_defense"

    scores: Annotated[list[Path], Files()] = Field(min_length=1, description="CSVs written by evaluate-defense")
    out: Written = Field(description="CSV of all scores, to write")
    separation: Written = Field(description="CSV of AUROC and TPR, to write")
    flagged: Written = Field(description="CSV of what thresholds from honest models flag, to write")

    def run(self, identity: Identity) -> None:
        from vicious.defense.evaluation.collect import collect_detection

        collect_detection(self.scores, self.out, self.separation, self.flagged)
