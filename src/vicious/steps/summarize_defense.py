"""Join all detector scores, and how they separate honest from vicious models."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from vicious.steps import Identity, Step


class SummarizeDefense(Step):
    """Join all detector scores, and how they separate honest from vicious models."""

    GROUP: ClassVar[str | None] = "report_defense"

    scores: list[Path] = Field(min_length=1, description="CSVs written by evaluate-defense")
    out: Path = Field(description="CSV of all scores, to write")
    separation: Path = Field(description="CSV of AUROC and TPR, to write")
    flagged: Path = Field(description="CSV of what thresholds from honest models flag, to write")

    def reads(self) -> list[Path]:
        return self.scores

    def writes(self) -> list[Path]:
        return [self.out, self.separation, self.flagged]

    def record(self) -> Path:
        return self.out.with_suffix(".provenance.json")

    def run(self, identity: Identity) -> None:
        from vicious.defense.evaluation.collect import collect_detection

        collect_detection(self.scores, self.out, self.separation, self.flagged)
