"""Train a target model jointly with an attack model."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from vicious.mitigations import parse_trainable
from vicious.models.architecture import needs_finished_target
from vicious.models.evaded import UNNAMED
from vicious.steps import Files, Identity, mitigation_file, model_files
from vicious.steps._needs import Cost, Work, training_cost
from vicious.steps._training import AttackTraining, TaskTraining, attack_model, schedule, target_model, task_data
from vicious.system.settings import NameIn, NotNegative, Positive, parsed


class TrainVicious(TaskTraining, AttackTraining):
    """Train a target model jointly with an attack model that reads its outputs."""

    attack_out: Annotated[Path, Files(model_files, written=True)] = Field(
        description="weights of the attack model to write, safetensors; a .json beside"
    )
    outputs: Annotated[str, parsed(parse_trainable)] = Field(description="what the user sends back")
    beta_c: NotNegative = Field(description="weight of the classification loss; 0: autoencoder")
    beta_r: Positive = Field(description="weight of the reconstruction loss")
    evasion: NotNegative = Field(default=0.0, description="weight of an adaptive penalty against a detector")
    evades: Annotated[str, NameIn("vicious.training.penalties")] = Field(default=UNNAMED, description="that detector")

    @field_validator("attack_model")
    @classmethod
    def _learns(cls, name: str) -> str:
        if needs_finished_target(name):
            raise ValueError(f"{name} needs a finished target model, so none can be trained with it")
        return name

    def lookups(self) -> list[str]:
        penalties = [f"vicious.training.penalties.{self.evades}:PENALTY"] if self.evasion else []
        return [*super().lookups(), mitigation_file(self.outputs), *penalties]

    def cost(self, work: Work) -> Cost:
        return training_cost(work)

    def run(self, identity: Identity) -> None:
        from vicious.system.runtime import use_device
        from vicious.training.jobs import train_vicious

        train_vicious(
            task_data(self),
            self.out,
            self.attack_out,
            target_model(self),
            attack_model(self),
            self.outputs,
            self.beta_c,
            self.beta_r,
            schedule(self),
            use_device(self.device, self.threads),
            identity(*self.entries()),
            self.as_many_as,
            self.evasion,
            self.evades,
        )
