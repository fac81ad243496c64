"""Join all assessments of an experiment into one CSV."""

from pathlib import Path

from pydantic import Field

from vicious.steps import Identity, Written
from vicious.steps._gathering import Gathering


class Summarize(Gathering):
    """Join all assessments of an experiment into one CSV, a row each."""

    out: Written = Field(description="CSV to write")

    def reads(self) -> list[Path]:
        return self.results

    def run(self, identity: Identity) -> None:
        from vicious.results.summaries import write_summary

        write_summary(self.results, self.out)
