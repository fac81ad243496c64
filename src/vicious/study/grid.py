"""The study's grid: which models are trained on what, and which of them belong to which experiment.

A *cell* is an attack on a target model for a task (see :mod:`vicious.data.tasks`), of one seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from vicious.data.datasets import find_dataset
from vicious.data.tasks import Task, parse_task
from vicious.models.architecture import ORIGINAL, can_compute_more
from vicious.models.evaded import UNNAMED
from vicious.models.means import STUDYS, Means
from vicious.system.errors import ConfigError

if TYPE_CHECKING:  # the command line knows the experiments, and must not wait for what checks params.yaml
    from vicious.study.config import Params, ScaleParams

Role = Literal["honest", "vicious", "autoencoder"]
Experiment = Literal[
    "main", "tradeoff", "attribute_sets", "class_counts", "merged_classes", "attackers", "defense", "mitigations"
]

EXPERIMENTS: tuple[Experiment, ...] = get_args(Experiment)
AUTOENCODER_BETA_R = 1.0
"""Weight of the reconstruction loss of an autoencoder, whose beta_C is 0: Adam does not feel its size."""


@dataclass(frozen=True)
class Model:
    """How a target model is trained, apart from its task and seed.

    Attributes:
        role: "honest", "vicious", or "autoencoder" (vicious with beta_C = 0, for reconstruction alone).
        outputs: what a jointly trained attack model reads; None for an honest model.
        beta_c, beta_r: weights of the classification and the reconstruction loss.
        recipe: how an honest model is trained otherwise (:mod:`vicious.training.recipes`); None for the study's own
            way.
        evasion: weight of a vicious server's adaptive penalty (:mod:`vicious.training.penalty`); 0: none.
        evades: the detector that it is against; None: none.
        hidden: how a vicious server hides the code in its outputs (:mod:`vicious.models.hidden`); None: not at all.
    """

    role: Role
    outputs: str | None
    beta_c: float
    beta_r: float
    recipe: str | None = None
    evasion: float = 0.0
    evades: str | None = None
    hidden: str | None = None

    def __str__(self) -> str:
        """The model's name in paths: ``honest``, ``honest-wider``, ``vicious-logits-beta1``, ``autoencoder-softmax``,
        ``vicious-logits-beta1-evasion10`` (of linear decodability),
        ``vicious-logits-beta1-evasion10-distance_correlation``, ``vicious-logits-beta1-shuffled``."""
        beta = f"beta{_short(self.beta_r)}" if self.role == "vicious" else None
        evasion = f"evasion{_short(self.evasion)}" if self.evasion else None
        evades = self.evades if self.evades != UNNAMED else None
        return "-".join(filter(None, [self.role, self.outputs, beta, self.recipe, evasion, evades, self.hidden]))

    @property
    def trained(self) -> Model:
        """The model as it is trained: a code is hidden afterwards."""
        return replace(self, hidden=None)


@dataclass(frozen=True)
class Training:
    """A target model of one task and seed."""

    task: Task
    model: Model
    seed: int


@dataclass(frozen=True)
class Attack:
    """How a target model's outputs are read.

    Attributes:
        outputs: what the user sends back.
        kind: "joint", by the attack model that was trained jointly with the target model; "posthoc", by one that was
            trained afterwards, on a frozen target model; "best", by that one of all these which reads the most from
            validation images.
        model: the attack model's name (:mod:`vicious.models.decoders`); the original's for "joint" and "best".
        means: what the attacker has.
    """

    outputs: str
    kind: Literal["joint", "posthoc", "best"] = "posthoc"
    model: str = ORIGINAL["attack"]
    means: Means = STUDYS

    def __str__(self) -> str:
        """The attack's name in paths: ``joint``, ``posthoc-logits``, ``posthoc-logits-upsampling``, ``best-logits``,
        ``posthoc-logits-kernel_ridge-images500``."""
        if self.kind == "joint":
            return "joint"
        model = self.model if self.model != ORIGINAL["attack"] else None
        return "-".join(filter(None, [self.kind, self.outputs, model, str(self.means)]))


@dataclass(frozen=True)
class Cell:
    """An attack on a target model: what every summary has a row of."""

    task: Task
    model: Model
    attack: Attack
    seed: int

    @property
    def target(self) -> Training:
        """The target model."""
        return Training(self.task, self.model, self.seed)


HONEST = Model("honest", None, 1.0, 0.0)


def task_title(name: str) -> str:
    """The title of a task for readers, by its name as in paths; the name itself where it is no known task's."""
    try:
        task = parse_task(name)
        return task.titled(find_dataset(task.dataset).title)
    except (ValueError, ConfigError):
        return name


def task_outputs(task: Task) -> int:
    """Number K of outputs of a task's target models."""
    spec = find_dataset(task.dataset)
    if task.attributes is not None:
        return len(spec.attribute_sets[task.attributes])
    return task.classes or task.merged or spec.classes


def cells(params: Params, experiment: Experiment) -> list[Cell]:
    """The cells of an experiment, in the order of its tables; empty where the scale leaves it out.

    Where ``attack_models`` names the experiment, each of its target models is also read by all of these, and by the
    best.
    """
    found = list(dict.fromkeys(_CELLS[experiment](params)))
    if experiment in params.study.attack_models.experiments:
        found += [more for cell in found for more in rivals(params, cell)]
        found += [replace(cell, attack=Attack(cell.attack.outputs, "best")) for cell in found]
    return list(dict.fromkeys(found))


def trainings(params: Params, experiments: Iterable[Experiment] = EXPERIMENTS) -> list[Training]:
    """Every target model of some experiments, each once, whatever experiments it belongs to."""
    chosen = tuple(experiments)
    found = [cell.target for cell in attacks(params, chosen)]
    found += judged(params) if "defense" in chosen else []
    return list(dict.fromkeys(replace(one, model=one.model.trained) for one in found))


def settings(params: Params, task: Task) -> ScaleParams:
    """The scale's settings for a task: its dataset's, and the class counts' own number of epochs."""
    own = params.cell(task.dataset)
    return own if task.classes is None else own.model_copy(update={"epochs": params.study.class_counts.epochs})


def judged(params: Params) -> list[Training]:
    """What detectors judge: honest and vicious models, honest ones trained otherwise, and vicious ones that evade or
    hide."""
    block = params.study.defense
    found = [cell.target for cell in cells(params, "defense")]
    for task in _tasks(params, block.datasets):
        others = [replace(HONEST, recipe=recipe) for recipe in block.recipes]
        for outputs in block.outputs:
            start = _adaptive(params, task, outputs)
            # Hidden codes blind linear decodability.
            strongest = [_evading(start, UNNAMED, weight) for weight in block.evasion.get(UNNAMED, [])[-1:]]
            others += [replace(model, hidden=code) for model in (start, *strongest) for code in block.hidden]
        found += [Training(task, model, seed) for model in others for seed in block.variant_seeds]
    return list(dict.fromkeys(found))


def sought(params: Params) -> list[Training]:
    """Target models whose training images are sought by membership inference: honest and vicious ones of the main
    experiment."""
    return [one for one in trainings(params, ["main"]) if one.model.role != "autoencoder"]


def attacks(params: Params, experiments: Iterable[Experiment] = EXPERIMENTS) -> list[Cell]:
    """Every cell of some experiments, each once."""
    return list(dict.fromkeys(cell for experiment in experiments for cell in cells(params, experiment)))


def _main(params: Params) -> Iterator[Cell]:
    for dataset in params.datasets:
        own, task = params.cell(dataset), Task(dataset)
        for outputs in own.outputs:
            yield from _block(task, outputs, own.beta_c, own.beta_r, own.seeds)
            if outputs in own.autoencoder:
                model = Model("autoencoder", outputs, 0.0, AUTOENCODER_BETA_R)
                yield from (Cell(task, model, Attack(outputs, "joint"), seed) for seed in own.seeds)


def _tradeoff(params: Params) -> Iterator[Cell]:
    sweep = params.study.tradeoff
    for task in _tasks(params, sweep.datasets):
        own = params.cell(task.dataset)
        for outputs in sweep.outputs if sweep.beta_r else ():
            yield from _block(task, outputs, own.beta_c, sweep.beta_r, own.seeds)


def _attribute_sets(params: Params) -> Iterator[Cell]:
    experiment = params.study.attribute_sets
    for dataset in params.datasets:
        spec, own = find_dataset(dataset), params.cell(dataset)
        for name in (one for one in experiment.sets if one in spec.attribute_sets):
            task = Task(dataset, None if len(spec.attribute_sets[name]) == spec.classes else name)
            for outputs in experiment.outputs:
                yield from _block(task, outputs, own.beta_c, [experiment.beta_r], own.seeds)


def _class_counts(params: Params) -> Iterator[Cell]:
    experiment = params.study.class_counts
    for dataset in (name for name in params.datasets if name in experiment.counts):
        own = params.cell(dataset)
        for count in experiment.counts[dataset]:
            for outputs in experiment.outputs:
                task = Task(dataset, classes=count)
                yield from _block(task, outputs, own.beta_c, [experiment.beta_r], own.seeds)


def _merged_classes(params: Params) -> Iterator[Cell]:
    experiment = params.study.merged_classes
    for dataset in (name for name in params.datasets if name in experiment.groups):
        own = params.cell(dataset)
        for groups in experiment.groups[dataset]:
            task = Task(dataset, merged=groups if groups < find_dataset(dataset).classes else None)
            for outputs in experiment.outputs:
                yield from _block(task, outputs, own.beta_c, [experiment.beta_r], own.seeds)


def _attackers(params: Params) -> Iterator[Cell]:
    block = params.study.attackers
    for task in _tasks(params, block.datasets):
        others = [name for name in block.images_of.get(task.dataset, []) if name in params.datasets]
        own = params.cell(task.dataset)
        means = [STUDYS, *(Means(budget=times) for times in block.budgets)]
        means += [*(Means(images=count) for count in block.images), *(Means(of=name) for name in others)]
        attacks = [name for name in block.models if name in (ORIGINAL["attack"], *own.attack_models.models)]
        for outputs in block.outputs:
            models = (HONEST, Model("vicious", outputs, own.beta_c, block.beta_r))
            for model, name, has in product(models, attacks, means):
                if has.budget == 1 or can_compute_more(name):
                    yield from (Cell(task, model, Attack(outputs, model=name, means=has), seed) for seed in block.seeds)


def rivals(params: Params, cell: Cell) -> list[Cell]:
    """Every attack that reads the same outputs of the same target model, which the best one is chosen from: the jointly
    trained one, if there is one for these outputs, the original's trained afterwards, and all of ``attack_models``."""
    outputs, own = cell.attack.outputs, params.cell(cell.task.dataset).attack_models.models
    joint = [Attack(outputs, "joint")] if cell.model.outputs == outputs else []
    found = [*joint, *(Attack(outputs, model=name) for name in (ORIGINAL["attack"], *own))]
    return [replace(cell, attack=attack) for attack in found]


def _defense(params: Params) -> Iterator[Cell]:
    block = params.study.defense
    for task in _tasks(params, block.datasets):
        for outputs in block.outputs:
            yield from _block(task, outputs, params.cell(task.dataset).beta_c, block.beta_r, block.seeds)
            # The joint attack runs after a target model that changes; one trained afterwards may read more.
            start = _adaptive(params, task, outputs)
            evading = [_evading(start, name, weight) for name, weights in block.evasion.items() for weight in weights]
            for model in (start, *evading):
                for attack in (Attack(outputs, "joint"), Attack(outputs)):
                    yield from (Cell(task, model, attack, seed) for seed in block.variant_seeds)


def _mitigations(params: Params) -> Iterator[Cell]:
    block = params.study.mitigations
    for task in _tasks(params, block.datasets):

        def vicious(outputs: str, task: Task = task) -> Model:
            return Model("vicious", outputs, params.cell(task.dataset).beta_c, block.beta_r)

        sent = params.cell(task.dataset).mitigations.outputs
        pairs = [(model, outputs) for model in (HONEST, vicious("logits")) for outputs in sent]
        pairs += [(vicious(outputs), outputs) for outputs in block.trained_for]
        for model, outputs in pairs:
            yield from (Cell(task, model, Attack(outputs), seed) for seed in block.seeds)


def _tasks(params: Params, datasets: Iterable[str]) -> list[Task]:
    """The whole datasets that an experiment names, out of the study's."""
    return [Task(name) for name in params.datasets if name in set(datasets)]


def _adaptive(params: Params, task: Task, outputs: str) -> Model:
    """The vicious model that an adaptive server starts from: that of the first weight."""
    return Model("vicious", outputs, params.cell(task.dataset).beta_c, params.study.defense.beta_r[0])


def _evading(model: Model, detector: str, weight: float) -> Model:
    return replace(model, evasion=weight, evades=detector)


def _block(task: Task, outputs: str, beta_c: float, betas: list[float], seeds: list[int]) -> Iterator[Cell]:
    """The post-hoc attack on honest models, and vicious models of growing beta_R."""
    yield from (Cell(task, HONEST, Attack(outputs), seed) for seed in seeds)
    for beta_r in betas:
        model = Model("vicious", outputs, beta_c, beta_r)
        yield from (Cell(task, model, Attack(outputs, "joint"), seed) for seed in seeds)


def _short(number: float) -> str:
    """A number in a path: ``1``, ``0.3``."""
    return repr(float(number)).removesuffix(".0")


_CELLS = {
    "main": _main,
    "tradeoff": _tradeoff,
    "attribute_sets": _attribute_sets,
    "class_counts": _class_counts,
    "merged_classes": _merged_classes,
    "attackers": _attackers,
    "defense": _defense,
    "mitigations": _mitigations,
}
