"""What a step works on: numbers of images, sizes of models, from the configuration."""

from vicious.data.datasets import find_dataset
from vicious.data.splits import SIDE
from vicious.data.tasks import Task
from vicious.models.architecture import ORIGINAL, Model, model
from vicious.steps._needs import Work
from vicious.study.config import Params, ScaleParams
from vicious.study.grid import settings, task_outputs
from vicious.training.recipe import STANDARD, Recipe, find_recipe


def pair(own: ScaleParams, how: Recipe = STANDARD) -> tuple[Model, Model]:
    """The target and the attack model of a scale, and of a recipe, which both follow here."""
    settings = {"depth": own.depth, "width": own.width}
    target = how.target(model("target", ORIGINAL["target"], settings))
    return target, model("attack", ORIGINAL["attack"], target.settings.model_dump())


def work(params: Params, task: Task, recipe: str | None = None, attack: Model | None = None) -> Work:
    """What the steps of a task work on.

    Args:
        recipe: of an honest model that is trained otherwise.
        attack: the attack model; None for the original's.
    """
    drawn = params.study.source == "synthetic"
    own, spec = settings(params, task), find_dataset(task.dataset)
    how = find_recipe(recipe)
    every = images(own, task.dataset)
    n = task_images(params, task, every)
    target, original = pair(own, how)
    return Work(
        raw=float(
            sum(every.values()) * spec.channels * SIDE**2 if drawn else sum(file.size or 0 for file in spec.files)
        ),
        images=sum(every.values() if drawn else spec.sizes),
        **n,
        channels=spec.channels,
        outputs=task_outputs(task),
        target=target,
        attack=original if attack is None else attack,
        epochs=how.longer * own.epochs,
        epoch_images=an_epoch(own, n)["train"],
        batch_images=own.batch_images,
        device=params.runtime.device,
    )


def images(own: ScaleParams, dataset: str) -> dict[str, int]:
    """Images of each split: the scale's cap, or the official number."""
    caps = {"train": own.train, "validation": own.validation, "test": own.test}
    official = dict(zip(caps, find_dataset(dataset).sizes, strict=True))
    return {split: official[split] if cap is None else min(cap, official[split]) for split, cap in caps.items()}


def an_epoch(own: ScaleParams, n: dict[str, int]) -> dict[str, int]:
    """Images of each split that an epoch takes, out of all."""
    return n if own.epoch_images is None else {**n, "train": min(n["train"], own.epoch_images)}


def task_images(params: Params, task: Task, n: dict[str, int]) -> dict[str, int]:
    """Images of each split that a task uses: with some classes, as many as the smallest count has."""
    if task.classes is None:
        return n
    counts = {str(dataset): numbers for dataset, numbers in params.study.class_counts.counts.items()}
    share = min(counts[task.dataset]) / find_dataset(task.dataset).classes
    return {split: max(1, round(share * count)) for split, count in n.items()}
