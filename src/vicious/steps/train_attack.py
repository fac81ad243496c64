"""Train an attack model on the outputs of a frozen target model."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from vicious.mitigations import parse_outputs
from vicious.models.architecture import ORIGINAL
from vicious.steps import Identity, Weights, mitigation_file
from vicious.steps._needs import Cost, Need, Work, fitting, training_cost
from vicious.steps._training import AttackTraining, attack_model, schedule
from vicious.system.settings import parsed


class TrainAttack(AttackTraining):
    """Train an attack model on the outputs of a frozen target model (the post-hoc attack)."""

    target: Weights = Field(description="weights of the target model")
    outputs: Annotated[str, parsed(parse_outputs)] = Field(description="what the user sends back")

    def lookups(self) -> list[str]:
        return [*super().lookups(), f"vicious.models.targets.{ORIGINAL['target']}:build", mitigation_file(self.outputs)]

    def cost(self, work: Work) -> Cost:
        if not work.attack.fitted:
            return training_cost(work, target=False)
        asked = (work.train + work.validation) * work.sizes[0].flops
        length = parse_outputs(self.outputs).width(work.outputs)
        flops = asked + work.attack.fit_flops(work.train, work.channels, length)
        return replace(training_cost(work, target=False), flops=flops, launches=0.0)

    def need(self, work: Work) -> Need:
        if not work.attack.fitted:
            return super().need(work)
        return fitting(work, self.cost(work).flops)

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
