"""Measure an attack on every test image."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vicious.metrics import measures
from vicious.metrics.estimators import CUTOFFS, RIDGES, SHARES
from vicious.mitigations import parse_outputs
from vicious.models.architecture import ORIGINAL
from vicious.results.files import assessment_files
from vicious.steps import Device, Identity, PreparedData, Read, Stage, Step, Threads, Weights, mitigation_file
from vicious.steps._needs import Cost, Need, Work, assessment, assessment_cost
from vicious.system.settings import Count, NameIn, NotNegative, parsed

COLUMNS = len(SHARES) + len(CUTOFFS) + len(RIDGES) + 10
"""Numbers of each test image."""


class AssessRisk(Step):
    """Measure an attack on every test image: accuracy, MSE, PSNR, SSIM, the reconstruction risk, and whether the
    original is identified."""

    STAGE: ClassVar[Stage] = "assessments"
    ON_GPU: ClassVar[bool] = True
    GROUP: ClassVar[str | None] = "assess_{task}"

    data: PreparedData
    covariance: Read = Field(description="safetensors written by fit-covariance")
    target: Weights = Field(description="weights of the target model")
    attack: Weights = Field(description="weights of the attack model")
    outputs: Annotated[str, parsed(parse_outputs)] = Field(description="what the user sends back and the attack reads")
    attack_model: Annotated[str, NameIn("vicious.models.decoders")] = Field(
        default=ORIGINAL["attack"], description="the attack model (vicious.models.decoders)"
    )
    out: Path = Field(description="folder to write into")
    gallery_images: Count = Field(description="test images kept with their reconstructions")
    estimator: Literal["truncated", "ridge", "ledoit_wolf"] = Field(description="covariance estimator of `risk`")
    cutoff: NotNegative = Field(description="its cut-off, or the ridge")
    threads: Threads = 1
    device: Device = "cpu"

    def writes(self) -> list[Path]:
        return list(assessment_files(self.out / f"risk-{self.attack.stem}.json"))

    def lookups(self) -> list[str]:
        target = f"vicious.models.targets.{ORIGINAL['target']}:build"
        decoder, mitigation = f"vicious.models.decoders.{self.attack_model}:build", mitigation_file(self.outputs)
        return [target, decoder, mitigation, *(f"vicious.metrics.measures.{name}" for name in measures.names())]

    def need(self, work: Work) -> Need:
        return assessment(work)

    def cost(self, work: Work) -> Cost:
        return assessment_cost(work, columns=COLUMNS)

    def run(self, identity: Identity) -> None:
        from vicious.attacks.assess import assess_risk
        from vicious.models.checkpoint import check_attack
        from vicious.system.runtime import use_device

        check_attack(self.attack, self.attack_model, self.outputs)
        assess_risk(
            self.data,
            self.covariance,
            self.target,
            self.attack,
            self.out,
            estimator=self.estimator,
            cutoff=self.cutoff,
            gallery_images=self.gallery_images,
            device=use_device(self.device, self.threads),
        )
