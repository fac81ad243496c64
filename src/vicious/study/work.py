"""What a step works on: numbers of images, sizes of models, from the configuration."""

from vicious.data.datasets import find_dataset
from vicious.data.tasks import Task
from vicious.models.architecture import ORIGINAL, Model, model
from vicious.steps._needs import COPIES, Work
from vicious.study.config import Params, ScaleParams
from vicious.study.grid import settings, task_outputs
from vicious.training.recipe import find_recipe


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
    target = how.target(model("target", ORIGINAL["target"], {"depth": own.depth, "width": own.width}))
    original = model("attack", ORIGINAL["attack"], target.settings.model_dump())  # it follows the recipe too
    return Work(
        raw=float(sum(every.values()) * spec.pixels if drawn else sum(one.size or 0 for one in spec.files)),
        images=sum(every.values() if drawn else spec.sizes),
        **n,
        channels=spec.channels,
        outputs=task_outputs(task),
        target=target,
        attack=original if attack is None else attack,
        epochs=how.longer * own.epochs,
        epoch_images=n["train"] if own.epoch_images is None else min(n["train"], own.epoch_images),
        batch_images=own.batch_images,
        copies=COPIES if own.augmented and how.augmented else 1,
        device=params.runtime.device,
    )


def images(own: ScaleParams, dataset: str) -> dict[str, int]:
    """Images of each split: the scale's cap, or the official number."""
    caps = {"train": own.train, "validation": own.validation, "test": own.test}
    official = dict(zip(caps, find_dataset(dataset).sizes, strict=True))
    return {split: official[split] if cap is None else min(cap, official[split]) for split, cap in caps.items()}


def task_images(params: Params, task: Task, n: dict[str, int]) -> dict[str, int]:
    """Images of each split that a task uses: with some classes, as many as the smallest count has."""
    if task.classes is None:
        return n
    counts = {str(dataset): numbers for dataset, numbers in params.study.class_counts.counts.items()}
    share = min(counts[task.dataset]) / find_dataset(task.dataset).classes
    return {split: max(1, round(share * count)) for split, count in n.items()}
