"""Train an attack model on the outputs of a frozen target model."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from vicious.mitigations import parse_outputs
from vicious.models.architecture import ORIGINAL, can_compute_more
from vicious.models.means import Means
from vicious.steps import Files, Identity, Weights, mitigation_file, prepared_files
from vicious.steps._needs import COPIES, Cost, Need, Work, conditioning, fitting, training_cost
from vicious.steps._training import AttackTraining, attack_model, schedule
from vicious.system.settings import Count, NameIn, parsed


class TrainAttack(AttackTraining):
    """Train an attack model on the outputs of a frozen target model (the post-hoc attack)."""

    target: Weights = Field(description="weights of the target model")
    outputs: Annotated[str, parsed(parse_outputs)] = Field(description="what the user sends back")
    budget: Count = Field(default=1, description="times the attack model's usual budget")
    most_images: Count | None = Field(
        default=None,
        description="most training images of the attacker, and the same share of validation images; epochs grow as "
        "much as images shrink (default: all)",
    )
    images: Annotated[Path | None, Files(prepared_files)] = Field(
        default=None, description="folder of the prepared dataset of the attacker's images (default: those of --data)"
    )
    images_of: Annotated[str, NameIn("vicious.data.datasets")] | None = Field(
        default=None, description="the name of that dataset"
    )

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        if self.budget > 1 and not can_compute_more(self.attack_model):
            raise ValueError(f"budget {self.budget}: {self.attack_model} is exact and has none; leave it out")
        return self

    def lookups(self) -> list[str]:
        return [*super().lookups(), f"vicious.models.targets.{ORIGINAL['target']}:build", mitigation_file(self.outputs)]

    def cost(self, work: Work) -> Cost:
        length, own = parse_outputs(self.outputs).width(work.outputs), training_cost(self._own(work), target=False)
        if not work.attack.fitted:
            return replace(own, flops=own.flops + work.attack.condition_flops(work.train, work.channels, length))
        asked = (work.train + work.validation) * work.sizes[0].flops
        return replace(own, flops=asked + work.attack.fit_flops(work.train, work.channels, length), launches=0.0)

    def need(self, work: Work) -> Need:
        if work.attack.fitted:
            return fitting(work, self.cost(work).flops)
        return conditioning(self._own(work), self.cost(work)) if work.attack.conditioned else super().need(work)

    def _own(self, work: Work) -> Work:
        """The work with the attack model's own schedule, where it has one."""
        theirs, usual = schedule(self), work.attack.schedule(schedule(self))
        own = replace(usual, epochs=self.budget * work.longer * usual.epochs)
        if own == theirs:
            return work
        images = min(work.train, own.epoch_images or work.train)
        copies = COPIES if own.augmented else 1
        return replace(work, epochs=own.epochs, epoch_images=images, batch_images=own.batch_images, copies=copies)

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
            Means(self.budget, self.most_images, self.images_of or ""),
            self.images,
        )
