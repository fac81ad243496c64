"""Compare each attack with the post-hoc one on the honest model, image by image."""

from pydantic import Field

from vicious.steps import Identity, Written
from vicious.steps._gathering import Gathering


class Compare(Gathering):
    """Compare each attack with the post-hoc one on the honest model, image by image."""

    out: Written = Field(description="CSV to write")

    def run(self, identity: Identity) -> None:
        from vicious.results.comparisons import write_comparisons

        write_comparisons(self.results, self.out)
