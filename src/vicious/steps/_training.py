"""What the steps that train a model share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from vicious.data.datasets import all_datasets
from vicious.models.architecture import ORIGINAL, Model, model, parse_model, parts_of
from vicious.models.schedule import Schedule
from vicious.steps import Device, Files, PreparedData, Stage, Step, Threads
from vicious.steps._needs import Need, Work, training
from vicious.system.settings import (
    Count,
    Decay,
    Depth,
    NameIn,
    Pair,
    Positive,
    Precision,
    RateShape,
    Seed,
    Width,
    pairs,
)

if TYPE_CHECKING:
    from vicious.data.prepared import PreparedDataset


def _trained(weights: Path) -> list[Path]:
    return [weights, weights.with_suffix(".json"), weights.with_suffix(".csv")]


class Training(Step):
    """A training: its data, its size, its schedule."""

    STAGE: ClassVar[Stage] = "models"
    ON_GPU: ClassVar[bool] = True

    data: PreparedData
    out: Annotated[Path, Files(_trained, written=True)] = Field(
        description="weights to write, safetensors; a .json and a .csv beside"
    )
    depth: Depth = Field(description="layers, 6 n + 4")
    width: Width = Field(description="width factor")
    epochs: Count = Field(description="passes over the training images, or over those drawn for each epoch")
    epoch_images: Count | None = Field(default=None, description="most training images of an epoch (default: all)")
    batch_images: Count = Field(description="images in a batch")
    learning_rate: Positive = Field(description="of Adam; the largest, where it changes")
    rate: RateShape = Field(default="constant", description="how the learning rate changes")
    augmented: bool = Field(default=True, description="each image of a batch comes with one augmented copy")
    average: Decay = Field(default=0.0, description="decay of a moving average of the weights; 0: none")
    precision: Precision = Field(default="float32", description="of the networks' layers while they are trained")
    seed: Seed = Field(description="of everything that is random")
    threads: Threads = 1
    device: Device = "cpu"

    def need(self, work: Work) -> Need:
        return training(work)


class TaskTraining(Training):
    """A training of a target model, for all of a dataset's labels or a part of them."""

    attributes: str | None = Field(default=None, description="attribute set of CelebA (default: all attributes)")
    classes: Count | None = Field(default=None, description="use the images of so many classes (default: all)")
    as_many_as: Count | None = Field(default=None, description="with classes: as many images as so many classes have")
    merged: Count | None = Field(
        default=None, description="merge the classes into so many groups, of all images (default: none)"
    )

    def record(self) -> Path:
        return self.out.with_name(f"{self.rule()}.provenance.json")

    def lookups(self) -> list[str]:
        named = [one.name for one in all_datasets() if self.attributes in one.attribute_sets]
        sets = [f"vicious.data.datasets.{name}:ATTRIBUTE_SETS" for name in named]
        return [*super().lookups(), f"vicious.models.targets.{ORIGINAL['target']}:build", *sets]


class AttackTraining(Training):
    """A training of an attack model."""

    attack_model: Annotated[str, NameIn("vicious.models.decoders")] = Field(
        default=ORIGINAL["attack"], description="the attack model (vicious.models.decoders)"
    )
    attack_settings: list[Pair] = Field(
        default=[], description="its settings, KEY=VALUE; depth and width of mirror are those of the target model"
    )

    def lookups(self) -> list[str]:
        used = parts_of(self.attack_model)
        return [*super().lookups(), *(f"vicious.models.decoders.{self.attack_model}:{name}" for name in used)]


def target_model(step: Training) -> Model:
    """The study's target model, of the step's depth and width."""
    return model("target", ORIGINAL["target"], {"depth": step.depth, "width": step.width})


def attack_model(step: AttackTraining) -> Model:
    """The attack model."""
    of_scale = {"depth": str(step.depth), "width": str(step.width)}
    return parse_model("attack", step.attack_model, pairs(step.attack_settings), of_scale)


def task_data(step: TaskTraining) -> "PreparedDataset":
    """A prepared dataset as the task uses it."""
    from vicious.data.prepared import load_prepared
    from vicious.data.tasks import Task

    data = load_prepared(step.data)
    return data.of_task(Task(data.info.name, step.attributes, step.classes, step.merged), step.as_many_as)


def schedule(step: Training) -> Schedule:
    """How long it trains, and how fast."""
    return Schedule(
        *(step.epochs, step.batch_images, step.learning_rate, step.seed, step.epoch_images, step.precision),
        *(step.rate, step.augmented, step.average),
    )
