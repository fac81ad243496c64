"""Score a target model with detectors."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from vicious.models.architecture import ORIGINAL
from vicious.steps import Device, Identity, PreparedData, Stage, Step, Threads, Weights, Written
from vicious.steps._needs import Cost, Need, Work, detection, detection_cost
from vicious.system.settings import Count, NameIn


class EvaluateDefense(Step):
    """Score a target model with detectors, by samples of a user's own images."""

    STAGE: ClassVar[Stage] = "assessments"
    ON_GPU: ClassVar[bool] = True

    data: PreparedData
    target: Weights = Field(description="weights of the target model")
    hide: Annotated[str, NameIn("vicious.models.codes")] | None = Field(
        default=None, description="hide the code in the model's outputs first"
    )
    out: Written = Field(description="CSV to write")
    detectors: list[Annotated[str, NameIn("vicious.defense.detectors")]] = Field(description="that score the model")
    user_images: list[Count] = Field(description="numbers of the user's own labelled images")
    draws: Count = Field(description="samples of user images for each number")
    threads: Threads = 1
    device: Device = "cpu"

    def lookups(self) -> list[str]:
        return [*self._shared(), *map(_detector, self.detectors)]

    def _shared(self) -> list[str]:
        """Looked-up code behind every detector's score."""
        codes = [] if self.hide is None else [f"vicious.models.codes.{self.hide}"]
        return [f"vicious.models.targets.{ORIGINAL['target']}:build", *codes]

    def need(self, work: Work) -> Need:
        return detection(work, self.detectors, self.user_images, self.draws)

    def cost(self, work: Work) -> Cost:
        return detection_cost(work, self.detectors, self.user_images, self.draws)

    def run(self, identity: Identity) -> Mapping[str, Any]:
        from vicious.defense.evaluation.evaluate import evaluate_defense
        from vicious.system.runtime import use_device

        return evaluate_defense(
            self.data,
            self.target,
            self.out,
            detectors=self.detectors,
            user_images=self.user_images,
            draws=self.draws,
            hidden=self.hide,
            device=use_device(self.device, self.threads),
            identities={name: identity(self.code(), *self._shared(), _detector(name)) for name in self.detectors},
        )


def _detector(name: str) -> str:
    return f"vicious.defense.detectors.{name}:DETECTOR"
