"""Download, verify or draw the raw files of a dataset."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vicious.steps import Identity, Stage, Step, Written
from vicious.steps._needs import Cost, Work
from vicious.system.settings import Count, NameIn, Pair, pairs


class Fetch(Step):
    """Download, verify or draw the raw files of a dataset."""

    STAGE: ClassVar[Stage] = "data"
    LOCAL: ClassVar[bool] = True
    PLACES: ClassVar[frozenset[str]] = frozenset({"root", "download"})

    dataset: Annotated[str, NameIn("vicious.data.datasets")] = Field(description="its name")
    source: Literal["official", "synthetic"] = Field(description="official files, or drawn stand-ins")
    root: Path = Field(description="folder of the files, in torchvision's layout")
    # It lists the raw files and their hashes; they may lie anywhere, and be large.
    out: Written = Field(description="JSON record of the verified files")
    download: bool = Field(default=False, description="download what is missing")
    checksum: list[Pair] = Field(
        default=[], description="FILE=md5:HEX or FILE=sha256:HEX of a file accepted in place of the official one"
    )
    counts: tuple[Count, Count, Count] | None = Field(
        default=None, description="synthetic train, validation and test images"
    )

    def record(self) -> Path:
        return self.out.with_name("fetch.provenance.json")

    def lookups(self) -> list[str]:
        return [f"vicious.data.datasets.{self.dataset}:DATASET"]

    def cost(self, work: Work) -> Cost:
        return Cost(disk=work.raw)

    def run(self, identity: Identity) -> None:
        from vicious.data.datasets import find_dataset
        from vicious.data.source import obtain

        obtain(
            find_dataset(self.dataset),
            self.source,
            self.root,
            self.out,
            download=self.download,
            checksums=pairs(self.checksum),
            counts=self.counts,
        )
