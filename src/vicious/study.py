"""The study's grid: which models are trained on what, and which of them belong to which experiment.

A *cell* is an attack on a target model for a task (see :mod:`vicious.data.tasks`); each is repeated for every seed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from vicious.config import Params, ScaleParams
from vicious.data.catalog import CATALOG
from vicious.data.tasks import CELEBA_SETS, Task, parse_task

Role = Literal["honest", "vicious", "autoencoder"]
Experiment = Literal["main", "tradeoff", "attribute_sets", "class_counts"]

EXPERIMENTS: tuple[Experiment, ...] = ("main", "tradeoff", "attribute_sets", "class_counts")
ALL_ATTRIBUTES = "k40"
AUTOENCODER_BETA_R = 1.0
"""Weight of the reconstruction loss of an autoencoder, whose beta_C is 0: Adam does not feel its size."""


@dataclass(frozen=True)
class Model:
    """How a target model is trained, apart from its task and seed.

    Attributes:
        role: "honest", "vicious", or "autoencoder" (vicious with beta_C = 0: the most that these outputs can carry).
        outputs: what a jointly trained attack model reads; None for an honest model.
        beta_c, beta_r: weights of the classification and the reconstruction loss.
        recipe: how an honest model is trained otherwise (:mod:`vicious.training.recipes`); None for the study's own way.
    """

    role: Role
    outputs: str | None
    beta_c: float
    beta_r: float
    recipe: str | None = None

    def __str__(self) -> str:
        """The model's name in paths: ``honest``, ``honest-wider``, ``vicious-logits-beta1``, ``autoencoder-softmax``."""
        if self.recipe is not None:
            return f"{self.role}-{self.recipe}"
        if self.role == "vicious":
            return f"vicious-{self.outputs}-beta{repr(float(self.beta_r)).removesuffix('.0')}"
        return self.role if self.outputs is None else f"{self.role}-{self.outputs}"


@dataclass(frozen=True)
class Cell:
    """An attack on a target model: what every summary has a row of, for each seed."""

    task: Task
    model: Model
    attack: str


HONEST = Model("honest", None, 1.0, 0.0)


def task_title(name: str) -> str:
    """The title of a task for readers, by its name as in paths; the name itself where it is no known task's."""
    try:
        task = parse_task(name)
        return task.titled(CATALOG[task.dataset].title)
    except (ValueError, KeyError):
        return name


def task_outputs(task: Task) -> int:
    """Number K of outputs of a task's target models."""
    if task.attributes is not None:
        return len(CELEBA_SETS[task.attributes])
    return CATALOG[task.dataset].classes if task.classes is None else task.classes


def cells(params: Params, experiment: Experiment) -> list[Cell]:
    """The cells of an experiment, in the order of its tables; empty where the scale leaves it out."""
    return list(dict.fromkeys(_CELLS[experiment](params)))


def models(params: Params, experiments: Iterable[Experiment] = EXPERIMENTS) -> dict[Task, list[Model]]:
    """Every target model of some experiments by task, each once, whatever experiments it belongs to."""
    found: dict[Task, dict[Model, None]] = {}
    for experiment in experiments:
        for cell in cells(params, experiment):
            found.setdefault(cell.task, {})[cell.model] = None
    for task, model in judged(params) if "main" in experiments else ():
        found.setdefault(task, {})[model] = None
    return {task: list(of_task) for task, of_task in found.items()}


def settings(params: Params, task: str) -> ScaleParams:
    """The scale's settings for a task: its dataset's, and the class counts' own number of epochs."""
    parsed = parse_task(task)
    own = params.cell(parsed.dataset)
    return own if parsed.classes is None else own.model_copy(update={"epochs": params.study.class_counts.epochs})


def judged(params: Params) -> list[tuple[Task, Model]]:
    """What detectors judge: the main comparison's honest and vicious models, and honest ones trained by other recipes."""
    compared = [(cell.task, cell.model) for cell in cells(params, "main") if cell.model.role != "autoencoder"]
    recipes = [
        (Task(dataset), replace(HONEST, recipe=recipe))
        for dataset in params.datasets
        for recipe in params.cell(dataset).recipes
    ]
    return list(dict.fromkeys([*compared, *recipes]))


def seeds(params: Params, task: Task) -> list[int]:
    """The seeds of a task's models: the scale's, or its dataset's own."""
    return params.cell(task.dataset).seeds


def attacks(params: Params, experiments: Iterable[Experiment] = EXPERIMENTS) -> list[Cell]:
    """Every cell of some experiments, each once."""
    return list(dict.fromkeys(cell for experiment in experiments for cell in cells(params, experiment)))


def _main(params: Params) -> Iterator[Cell]:
    for dataset in params.datasets:
        own = params.cell(dataset)
        for outputs in own.outputs:
            yield from _block(Task(dataset), outputs, own.beta_c, own.beta_r)
            if outputs in own.autoencoder:
                yield Cell(Task(dataset), Model("autoencoder", outputs, 0.0, AUTOENCODER_BETA_R), "joint")


def _tradeoff(params: Params) -> Iterator[Cell]:
    sweep = params.study.tradeoff
    for dataset in (name for name in params.datasets if name in sweep.datasets):
        for outputs in sweep.outputs if sweep.beta_r else ():
            yield from _block(Task(dataset), outputs, params.cell(dataset).beta_c, sweep.beta_r)


def _attribute_sets(params: Params) -> Iterator[Cell]:
    experiment = params.study.attribute_sets
    for name in experiment.sets if "celeba" in params.datasets else ():
        task = Task("celeba", None if name == ALL_ATTRIBUTES else name)
        for outputs in experiment.outputs:
            yield from _block(task, outputs, params.cell("celeba").beta_c, [experiment.beta_r])


def _class_counts(params: Params) -> Iterator[Cell]:
    experiment = params.study.class_counts
    for dataset in (name for name in params.datasets if name in experiment.counts):
        for count in experiment.counts[dataset]:
            for outputs in experiment.outputs:
                yield from _block(
                    Task(dataset, classes=count), outputs, params.cell(dataset).beta_c, [experiment.beta_r]
                )


def _block(task: Task, outputs: str, beta_c: float, betas: list[float]) -> Iterator[Cell]:
    """The post-hoc attack on an honest model, and vicious models of growing beta_R."""
    yield Cell(task, HONEST, f"posthoc-{outputs}")
    for beta_r in betas:
        yield Cell(task, Model("vicious", outputs, beta_c, beta_r), "joint")


_CELLS = {
    "main": _main,
    "tradeoff": _tradeoff,
    "attribute_sets": _attribute_sets,
    "class_counts": _class_counts,
}
