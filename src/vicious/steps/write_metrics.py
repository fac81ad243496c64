"""Means over seeds of the main comparison as one flat JSON, for dvc metrics."""

from typing import ClassVar

from pydantic import Field

from vicious.steps import Identity, Read, Step, Written


class WriteMetrics(Step):
    """Means over seeds of the main comparison as one flat JSON, for dvc metrics."""

    GROUP: ClassVar[str | None] = "report_main"

    summary: Read = Field(description="CSV written by summarize")
    out: Written = Field(description="JSON to write")

    def run(self, identity: Identity) -> None:
        from vicious.results.flat import write_metrics

        write_metrics(self.summary, self.out)
