"""Means over seeds of the main comparison as one flat JSON, for dvc metrics."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from vicious.steps import Identity, Step


class WriteMetrics(Step):
    """Means over seeds of the main comparison as one flat JSON, for dvc metrics."""

    GROUP: ClassVar[str | None] = "report_main"

    summary: Path = Field(description="CSV written by summarize")
    out: Path = Field(description="JSON to write")

    def reads(self) -> list[Path]:
        return [self.summary]

    def writes(self) -> list[Path]:
        return [self.out]

    def record(self) -> Path:
        return self.out.with_suffix(".provenance.json")

    def run(self, identity: Identity) -> None:
        from vicious.results.flat import write_metrics

        write_metrics(self.summary, self.out)
