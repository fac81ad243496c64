"""Write a dataset as 32x32 uint8 arrays with their statistics."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vicious.steps import Files, Identity, Read, Stage, Step, prepared_files
from vicious.steps._needs import Cost, Need, Work, preparation, preparation_cost
from vicious.system.errors import DataError
from vicious.system.settings import Count, NameIn, Seed


class Prepare(Step):
    """Write a dataset as 32x32 uint8 arrays with their statistics."""

    STAGE: ClassVar[Stage] = "data"
    GROUP: ClassVar[str | None] = "data"

    dataset: Annotated[str, NameIn("vicious.data.datasets")] = Field(description="its name")
    images: Literal["official", "synthetic"] = Field(description="whether the images are official or drawn")
    source: Read = Field(description="JSON record written by fetch")
    out: Annotated[Path, Files(prepared_files, written=True)] = Field(description="folder to write")
    train: Count | None = Field(default=None, description="most train images (default: all)")
    validation: Count | None = Field(default=None, description="most validation images (default: the official share)")
    test: Count | None = Field(default=None, description="most test images (default: all)")
    split_seed: Seed = Field(description="seed of the cut into train and validation")

    def record(self) -> Path:
        return self.out / "prepare.provenance.json"

    def lookups(self) -> list[str]:
        return [f"vicious.data.datasets.{self.dataset}:DATASET"]

    def need(self, work: Work) -> Need:
        return preparation(work)

    def cost(self, work: Work) -> Cost:
        return preparation_cost(work)

    def run(self, identity: Identity) -> None:
        from vicious.data.datasets import find_dataset
        from vicious.data.prepare import prepare
        from vicious.data.source import read_source

        found = read_source(self.source)
        if (found["dataset"], found["source"]) != (self.dataset, self.images):
            raise DataError(
                f"{self.source} lists {found['source']} files of {found['dataset']}, expected {self.images} ones of "
                f"{self.dataset}: check the path, or fetch them again"
            )
        dataset = find_dataset(self.dataset)
        listed = {file["path"] for file in found["files"]}
        if missing := [file.path for file in dataset.files if not {file.path, file.unpacked} & listed]:
            raise DataError(f"{self.source} does not list {', '.join(missing)}: delete it and run `snakemake` again")
        prepare(
            dataset,
            Path(found["root"]),
            self.out,
            source=self.images,
            train=self.train,
            validation=self.validation,
            test=self.test,
            split_seed=self.split_seed,
            files=found["files"],
        )
