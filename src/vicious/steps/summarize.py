"""Join all assessments of an experiment into one CSV."""

from pathlib import Path

from pydantic import Field

from vicious.steps import Identity
from vicious.steps._gathering import Gathering


class Summarize(Gathering):
    """Join all assessments of an experiment into one CSV, a row each."""

    out: Path = Field(description="CSV to write")

    def reads(self) -> list[Path]:
        return self.results

    def writes(self) -> list[Path]:
        return [self.out]

    def record(self) -> Path:
        return self.out.with_suffix(".provenance.json")

    def run(self, identity: Identity) -> None:
        from vicious.results.summaries import write_summary

        write_summary(self.results, self.out)
