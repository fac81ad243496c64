"""How estimators of the risk agree with PSNR and SSIM."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from vicious.results.files import assessment_files
from vicious.steps import Identity, Written
from vicious.steps._gathering import Gathering


class Agree(Gathering):
    """How estimators of the risk agree with PSNR and SSIM."""

    GROUP: ClassVar[str | None] = "report_main"

    estimators: Written = Field(description="CSV of the risk under every estimator, to write")
    agreement: Written = Field(description="CSV of how each orders reconstructions, to write")

    def reads(self) -> list[Path]:
        return [*super().reads(), *(assessment_files(file).estimators for file in self.results)]

    def run(self, identity: Identity) -> None:
        from vicious.results.agreement import write_estimators

        write_estimators(self.results, self.estimators, self.agreement)
