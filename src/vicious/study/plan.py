"""The plan: a configuration's list of steps. The workflow runs it, and records of provenance are compared with it."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vicious.data.datasets import find_dataset
from vicious.data.tasks import Task
from vicious.models.architecture import Model, model, sized
from vicious.models.means import Means
from vicious.steps import Stage, Step, step_class
from vicious.steps._needs import LIGHT, Cost, Need, Work
from vicious.study import grid, paths
from vicious.study.artifacts import artifact_step, known
from vicious.study.config import Params
from vicious.study.work import work

BRACES = {name: f"{{{name}}}" for name in ("dataset", "task", "model", "seed", "attack", "experiment")}
"""The names that stand in a rule's file names, as Snakemake writes them."""


@dataclass(frozen=True)
class Planned:
    """A step of the study.

    Attributes:
        step: with all its settings.
        scale: of the study.
        names: what stands in its file names, by the names of :data:`BRACES`.
        dataset: whose data it is of; None where it gathers several.
        experiment: whose results it gathers; None where it is of single models or data.
        work: what it works on; None where it reads tables.
    """

    step: Step
    scale: str
    names: Mapping[str, str]
    dataset: str | None = None
    experiment: grid.Experiment | None = None
    work: Work | None = None

    @cached_property
    def need(self) -> Need:
        """What it needs of a machine."""
        return LIGHT if self.work is None else self.step.need(self.work)

    @property
    def cost(self) -> Cost:
        """What it costs."""
        return Cost() if self.work is None else self.step.cost(self.work)

    @property
    def command_line(self) -> str:
        """Its command line, after the program's name, quoted for a shell."""
        record = self.step.record()
        provenance = [] if record is None else ["--provenance", str(record)]
        return shlex.join([self.step.command(), *self.step.options(), *provenance])

    @cached_property
    def outputs(self) -> list[str]:
        """Its files, and its record of provenance if it has one."""
        record = self.step.record()
        return [str(file) for file in (*self.step.writes(), *([] if record is None else [record]))]

    @property
    def log(self) -> str:
        """Where its job reports."""
        return str(paths.log(self.step.rule(), self.scale, **self.names))


class Plan:
    """What a configuration asks for at its scale.

    Args:
        params: the configuration.
        experiments: those whose steps are planned.
    """

    def __init__(self, params: Params, experiments: Sequence[grid.Experiment] = grid.EXPERIMENTS) -> None:
        self.params = params
        self.scale = params.scale
        self.steps: tuple[Planned, ...] = tuple(_steps(params, experiments))

    @cached_property
    def rules(self) -> dict[str, list[Planned]]:
        """The steps by rule, in the order in which rules first appear."""
        found: dict[str, list[Planned]] = {}
        for one in self.steps:
            found.setdefault(one.step.rule(), []).append(one)
        return found

    @cached_property
    def by_record(self) -> dict[str, Planned]:
        """The steps by the path of their record of provenance."""
        return {str(path): one for one in self.steps if (path := one.step.record()) is not None}

    @cached_property
    def _by_names(self) -> dict[tuple[str, frozenset[tuple[str, str]]], Planned]:
        return {(one.step.rule(), frozenset(one.names.items())): one for one in self.steps}

    def find(self, rule: str, names: Mapping[str, str]) -> Planned:
        """The step of a rule with these names in its file names."""
        return self._by_names[rule, frozenset(names.items())]

    def experiments(self) -> list[grid.Experiment]:
        """The experiments that this configuration has."""
        return [name for name in grid.EXPERIMENTS if grid.cells(self.params, name)]

    def left_out(self) -> list[str]:
        """The experiments, tables and figures that this configuration leaves out, the latter by name and by number."""
        built = {*self.experiments(), *self.rules}
        absent = [one for one in known().values() if one.name not in built]
        aliases = [one.alias for one in absent if one.alias is not None]
        return [*(name for name in grid.EXPERIMENTS if name not in built), *(one.name for one in absent), *aliases]

    def writes(self, *stages: Stage, dataset: str | None = None, experiment: str | None = None) -> list[str]:
        """The files of some stages' steps: of one dataset or experiment, or of all."""
        return [
            file
            for one in self.steps
            if one.step.STAGE in stages and dataset in (None, one.dataset) and experiment in (None, one.experiment)
            for file in one.outputs
        ]


def step_of(command: str) -> type[Step]:
    """The class of a command: a step, a table or a figure."""
    return artifact_step(command) if command in known() else step_class(command)


def first(command: str, params: Params) -> Planned | None:
    """The first step of a command in the plan; None where it has none. It plans the part of the study with the command
    alone."""
    parts: dict[Stage, tuple[Callable[[Params, Sequence[grid.Experiment]], Iterator[Planned]], ...]] = {
        "data": (_of_data,),
        "models": (_of_models,),
        "assessments": (_of_verdicts, _of_memberships, _of_risks),
        "summaries": (_of_summaries,),
        "figures": (_of_artifacts,),
    }
    planned = (one for part in parts[step_of(command).STAGE] for one in part(params, grid.EXPERIMENTS))
    return next((one for one in planned if one.step.command() == command), None)


def pattern(example: Planned) -> Planned:
    """The rule that a planned step belongs to: the same step, with wildcards in its names."""
    braces = {name: BRACES[name] for name in example.names}
    places = paths.places(example.step.rule(), example.scale, **braces)
    return replace(example, step=example.step.model_copy(update=places), names=braces)


def _steps(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    yield from _of_data(params, experiments)
    yield from _of_models(params, experiments)
    yield from _of_risks(params, experiments)
    yield from _of_verdicts(params, experiments)
    yield from _of_memberships(params, experiments)
    yield from _of_summaries(params, experiments)
    yield from _of_artifacts(params, experiments)


def _planned(
    command: str,
    params: Params,
    names: Mapping[str, str],
    settings: Mapping[str, object],
    **about: Any,
) -> Planned:
    kind = step_class(command)
    step = kind(**paths.places(kind.rule(), params.scale, **names), **settings)
    return Planned(step, params.scale, names, **about)


def _of_data(params: Params, _: Sequence[grid.Experiment]) -> Iterator[Planned]:
    scale, source = params.scale, params.study.source
    for dataset in params.datasets:
        own = params.cell(dataset)
        caps = {split: getattr(own, split) for split in ("train", "validation", "test")}
        names, about = {"dataset": dataset}, {"dataset": dataset, "work": work(params, Task(dataset))}
        fetched: dict[str, object] = {
            "dataset": dataset,
            "source": source,
            "root": paths.raw_root(scale, source, params.data.root),
            "download": source == "official" and params.data.root is None,
            "checksum": _checksums(params, dataset),
            "counts": tuple(caps.values()) if source == "synthetic" else None,
        }
        yield _planned("fetch", params, names, fetched, **about)
        made = {"dataset": dataset, "images": source, "source": paths.source_record(scale, dataset)}
        yield _planned("prepare", params, names, {**made, **caps, "split_seed": params.data.split_seed}, **about)
        yield _planned("fit-covariance", params, names, {"data": paths.prepared(scale, dataset)}, **about)


def _checksums(params: Params, dataset: str) -> list[str]:
    """What is accepted of a dataset's official files in place of them, sorted by name."""
    if params.study.source != "official":
        return []
    own = {name for file in find_dataset(dataset).files for name in (file.name, file.path)}
    return [f"{name}={params.data.checksums[name]}" for name in sorted(own & params.data.checksums.keys())]


def _of_models(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    for one in grid.trainings(params, experiments):
        names = _model_names(one)
        command = "train-honest" if one.model.role == "honest" else "train-vicious"
        settings = _schedule(params, one.task, one.seed) | _task(params, one.task) | _training(one.model)
        size = work(params, one.task, one.model.recipe)
        yield _planned(command, params, names, settings, dataset=one.task.dataset, work=size)
    for cell in grid.attacks(params, experiments):
        if cell.attack.kind == "posthoc":
            names = _cell_names(cell)
            target = paths.target(params.scale, **_model_names(cell))
            settings = _schedule(params, cell.task, cell.seed) | _decoder(params, cell)
            settings |= {"target": target, "outputs": cell.attack.outputs, **_means(params, cell.attack.means)}
            size = _attackers_work(params, cell)
            yield _planned("train-attack", params, names, settings, dataset=cell.task.dataset, work=size)


def _of_risks(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    scale, cells = params.scale, grid.attacks(params, experiments)
    for cell in (one for one in cells if one.attack.kind != "best"):
        settings = _computed(params, cell.task) | {
            "covariance": paths.covariance(scale, cell.task.dataset),
            "target": paths.target(scale, **_model_names(cell)),
            "outputs": cell.attack.outputs,
            "attack_model": cell.attack.model,
            "gallery_images": params.study.gallery,
            "estimator": params.risk.estimator,
            "cutoff": params.risk.cutoff,
        }
        size = work(params, cell.task, attack=_attack_model(params, cell))
        yield _planned("assess-risk", params, _cell_names(cell), settings, dataset=cell.task.dataset, work=size)
    for cell in (one for one in cells if one.attack.kind == "best"):
        settings = {"results": assessments(params, grid.rivals(params, cell))}
        size = work(params, cell.task)
        yield _planned("choose-best", params, _cell_names(cell), settings, dataset=cell.task.dataset, work=size)


def _of_verdicts(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    for one in grid.judged(params) if "defense" in experiments else ():
        defense = params.cell(one.task.dataset).defense
        settings = _computed(params, one.task) | {
            "target": paths.target(params.scale, **_model_names(replace(one, model=one.model.trained))),
            "hide": one.model.hidden,
            "detectors": defense.detectors,
            "user_images": defense.user_images,
            "draws": defense.draws,
        }
        size = work(params, one.task, one.model.recipe)
        names = _model_names(one)
        yield _planned("evaluate-defense", params, names, settings, dataset=one.task.dataset, work=size)


def _of_memberships(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    for one in grid.sought(params) if "main" in experiments else ():
        names, size = _model_names(one), work(params, one.task)
        settings = _computed(params, one.task) | {"target": paths.target(params.scale, **names)}
        yield _planned("measure-membership", params, names, settings, dataset=one.task.dataset, work=size)


def _of_summaries(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    scale = params.scale
    for experiment in experiments:
        cells = grid.cells(params, experiment)
        if not cells:
            continue
        names, gathered = {"experiment": experiment}, {"results": assessments(params, cells)}
        yield _planned("summarize", params, names, gathered, experiment=experiment)
        yield _planned("compare", params, names, gathered, experiment=experiment)
        if experiment == "main":
            summary = paths.summary(scale, experiment)
            yield _planned("agree", params, {}, gathered, experiment=experiment)
            yield _planned("per-class", params, {}, gathered, experiment=experiment)
            sought = [paths.membership(scale, **_model_names(one)) for one in grid.sought(params)]
            yield _planned("summarize-membership", params, {}, {"results": sought}, experiment=experiment)
            yield _planned("write-metrics", params, {}, {"summary": summary}, experiment=experiment)
    judged = detections(params) if "defense" in experiments else []
    if judged:
        yield _planned("summarize-defense", params, {}, {"scores": judged}, experiment="defense")


def _of_artifacts(params: Params, experiments: Sequence[grid.Experiment]) -> Iterator[Planned]:
    for experiment in experiments:
        cells = grid.cells(params, experiment)
        if not cells:
            continue
        scores = {"scores": paths.summaries(params.scale) / "detection.csv"} if experiment == "defense" else {}
        complete = {"summary": paths.summary(params.scale, experiment), **scores}
        yield _planned("check-complete", params, {"experiment": experiment}, complete, experiment=experiment)
        available = _available(params, experiment, cells)
        for name, artifact in known().items():
            if artifact.experiment == experiment and available.keys() >= set(artifact.inputs):
                inputs = {key: available[key] for key in artifact.inputs}
                parts = {"parts": _parts(cells)} if artifact.each_task else {}
                step = artifact_step(name)(out=paths.figures(params.scale), label=artifact.label, **inputs, **parts)
                yield Planned(step, params.scale, {}, experiment=experiment)


def _parts(cells: Iterable[grid.Cell]) -> list[str]:
    """The parts of an artifact that has files for each task and kind of outputs."""
    return list(dict.fromkeys(f"{cell.task}_{cell.attack.outputs}" for cell in cells if cell.model.role == "honest"))


def _available(params: Params, experiment: grid.Experiment, cells: Sequence[grid.Cell]) -> dict[str, object]:
    """What an artifact may read, by the name of its setting."""
    summaries = paths.summaries(params.scale)
    labels = {find_dataset(name).multilabel for name in params.datasets}
    of_labels = {"classes": "per_class.csv"} if False in labels else {}
    of_labels |= {"attributes": "per_attribute.csv"} if True in labels else {}
    return {
        **{key: summaries / file for key, file in of_labels.items()},
        "summary": paths.summary(params.scale, experiment),
        "comparisons": summaries / f"{experiment}_comparisons.csv",
        "estimators": summaries / "estimators.csv",
        "agreement": summaries / "agreement.csv",
        "membership": summaries / "membership.csv",
        "detection": summaries / "detection.csv",
        "separation": summaries / "detection_summary.csv",
        "flagged": summaries / "detection_flagged.csv",
        "verdicts": [file.with_suffix(".provenance.json") for file in detections(params)],
        "assessments": assessments(params, cells),
        "curves": training_curves(params, cells),
    }


def assessments(params: Params, cells: Iterable[grid.Cell]) -> list[Path]:
    """The JSON of each cell's assessment."""
    return [paths.assessment(params.scale, **_cell_names(cell)) for cell in cells]


def detections(params: Params) -> list[Path]:
    """The scores of each model that detectors judge, sorted."""
    return sorted((paths.detection(params.scale, **_model_names(one)) for one in grid.judged(params)), key=str)


def training_curves(params: Params, cells: Iterable[grid.Cell]) -> list[Path]:
    """The curves of the trainings behind some cells: of target models, and of the original's post-hoc attacks."""
    found = set()
    for cell in cells:
        target = paths.target(params.scale, **_model_names(cell))
        found.add(target.with_suffix(".csv"))
        if cell.model.role == "honest" and cell.attack == grid.Attack(cell.attack.outputs):
            found.add(target.with_name(f"{cell.attack}.csv"))
    return sorted(found, key=str)


def _model_names(one: grid.Cell | grid.Training) -> dict[str, str]:
    return {"task": one.task.folder, "model": str(one.model), "seed": str(one.seed)}


def _cell_names(cell: grid.Cell) -> dict[str, str]:
    return {**_model_names(cell), "attack": str(cell.attack)}


def _schedule(params: Params, task: Task, seed: int) -> dict[str, object]:
    own = grid.settings(params, task)
    names = (
        *("depth", "width", "epochs", "epoch_images", "batch_images"),
        *("learning_rate", "precision", "rate", "augmented", "average"),
    )
    return {**{name: getattr(own, name) for name in names}, "seed": seed, **_computed(params, task)}


def _decoder(params: Params, cell: grid.Cell) -> dict[str, object]:
    """The settings of an attack model that is not the original's: all of them, so that a changed default counts."""
    found = _attack_model(params, cell)
    if found is None:
        return {}
    settings = sorted(found.settings.model_dump().items())
    return {"attack_model": found.name, "attack_settings": [f"{key}={json.dumps(value)}" for key, value in settings]}


def _means(params: Params, means: Means) -> dict[str, object]:
    """The settings of what an attacker has in place of the study's."""
    others = {"images": paths.prepared(params.scale, means.of), "images_of": means.of} if means.of else {}
    return {"budget": means.budget, "most_images": means.images, **others}


def _attackers_work(params: Params, cell: grid.Cell) -> Work:
    """What the training of an attack model works on."""
    means, found = cell.attack.means, _attack_model(params, cell)
    usual = work(params, cell.task, attack=found if found is None else found.larger(means.budget))
    shown = work(params, Task(means.of)) if means.of else usual
    train = min(shown.train, means.images or shown.train)
    return replace(
        usual,
        train=train,
        validation=round(shown.validation * train / shown.train),
        epoch_images=min(train, usual.epoch_images),
        longer=means.longer(usual.train),
    )


def _attack_model(params: Params, cell: grid.Cell) -> Model | None:
    """An attack model that is not the original's; its depth and width are the scale's where nothing else is said."""
    name, of_scale = cell.attack.model, grid.settings(params, cell.task)
    own = params.cell(cell.task.dataset).attack_models.models.get(name)
    if own is None:
        return None
    return model("attack", name, sized(name, own, {"depth": of_scale.depth, "width": of_scale.width}))


def _computed(params: Params, task: Task) -> dict[str, object]:
    """What all steps that compute with models share."""
    own = params.runtime
    return {"data": paths.prepared(params.scale, task.dataset), "threads": own.threads, "device": own.device}


def _task(params: Params, task: Task) -> dict[str, object]:
    counts = {str(dataset): numbers for dataset, numbers in params.study.class_counts.counts.items()}
    fewest = None if task.classes is None else min(counts[task.dataset])
    return {"attributes": task.attributes, "classes": task.classes, "as_many_as": fewest, "merged": task.merged}


def _training(model: grid.Model) -> dict[str, object]:
    """What the losses of a target model's training are."""
    if model.role == "honest":
        return {"recipe": model.recipe}
    evades = {} if model.evades is None else {"evades": model.evades}
    return {name: getattr(model, name) for name in ("outputs", "beta_c", "beta_r", "evasion")} | evades
