"""Train an attack model on the outputs of a frozen target model."""

from typing import Annotated

from pydantic import Field

from vicious.mitigations import parse_outputs
from vicious.models.architecture import ORIGINAL
from vicious.steps import Identity, Weights, mitigation_file
from vicious.steps._needs import Cost, Work, training_cost
from vicious.steps._training import AttackTraining, attack_model, schedule
from vicious.system.settings import parsed


class TrainAttack(AttackTraining):
    """Train an attack model on the outputs of a frozen target model (the post-hoc attack)."""

    target: Weights = Field(description="weights of the target model")
    outputs: Annotated[str, parsed(parse_outputs)] = Field(description="what the user sends back")

    def lookups(self) -> list[str]:
        return [*super().lookups(), f"vicious.models.targets.{ORIGINAL['target']}:build", mitigation_file(self.outputs)]

    def cost(self, work: Work) -> Cost:
        return training_cost(work, target=False)

    def run(self, identity: Identity) -> None:
        from vicious.system.runtime import use_device
        from vicious.training.jobs import train_attack

        train_attack(
            self.data,
            self.target,
            self.out,
            attack_model(self),
            self.outputs,
            schedule(self),
            use_device(self.device, self.threads),
            identity(*self.entries()),
        )
