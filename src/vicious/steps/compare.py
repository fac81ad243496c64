"""Compare each attack with the post-hoc one on the honest model, image by image."""

from pathlib import Path

from pydantic import Field

from vicious.steps import Identity
from vicious.steps._gathering import Gathering


class Compare(Gathering):
    """Compare each attack with the post-hoc one on the honest model, image by image."""

    out: Path = Field(description="CSV to write")

    def writes(self) -> list[Path]:
        return [self.out]

    def record(self) -> Path:
        return self.out.with_suffix(".provenance.json")

    def run(self, identity: Identity) -> None:
        from vicious.results.comparisons import write_comparisons

        write_comparisons(self.results, self.out)
