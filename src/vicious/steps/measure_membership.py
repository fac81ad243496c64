"""Test whether a target model's loss tells its training images from test images."""

from typing import ClassVar

from pydantic import Field

from vicious.models.architecture import ORIGINAL
from vicious.steps import Device, Identity, PreparedData, Stage, Step, Threads, Weights, Written
from vicious.steps._needs import Cost, Need, Work, membership, membership_cost


class MeasureMembership(Step):
    """Test whether a target model's loss tells its training images from test images."""

    STAGE: ClassVar[Stage] = "assessments"
    ON_GPU: ClassVar[bool] = True
    GROUP: ClassVar[str | None] = "assess_{task}"

    data: PreparedData
    target: Weights = Field(description="weights of the target model")
    out: Written = Field(description="JSON to write")
    threads: Threads = 1
    device: Device = "cpu"

    def lookups(self) -> list[str]:
        return [f"vicious.models.targets.{ORIGINAL['target']}:build"]

    def need(self, work: Work) -> Need:
        return membership(work)

    def cost(self, work: Work) -> Cost:
        return membership_cost(work)

    def run(self, identity: Identity) -> None:
        from vicious.attacks.members import measure_membership
        from vicious.system.runtime import use_device

        measure_membership(self.data, self.target, self.out, device=use_device(self.device, self.threads))
