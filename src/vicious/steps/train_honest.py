"""Train a target model for its task alone."""

from typing import Annotated

from pydantic import Field

from vicious.steps import Identity
from vicious.steps._needs import Cost, Work, training_cost
from vicious.steps._training import TaskTraining, schedule, target_model, task_data
from vicious.system.settings import NameIn


class TrainHonest(TaskTraining):
    """Train a target model for its task alone."""

    recipe: Annotated[str, NameIn("vicious.training.recipes")] | None = Field(
        default=None, description="another way to train it (vicious.training.recipes)"
    )

    def lookups(self) -> list[str]:
        recipes = [] if self.recipe is None else [f"vicious.training.recipes.{self.recipe}:RECIPE"]
        return [*super().lookups(), *recipes]

    def cost(self, work: Work) -> Cost:
        return training_cost(work, attack=False)

    def run(self, identity: Identity) -> None:
        from vicious.system.runtime import use_device
        from vicious.training.jobs import train_honest

        train_honest(
            task_data(self),
            self.out,
            target_model(self),
            schedule(self),
            use_device(self.device, self.threads),
            identity(*self.entries()),
            self.as_many_as,
            self.recipe,
        )
