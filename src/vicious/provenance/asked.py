"""What a configuration asks for: the settings of every step, and what summaries, tables and figures are made of. Records are held
against it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from vicious.data.tasks import Task
from vicious.provenance.records import Record, plain_name
from vicious.report.products import PRODUCTS, SEVERAL
from vicious.study import grid, inputs, paths
from vicious.study.config import Params
from vicious.study.names import PARAMS_FILE, ScaleName
from vicious.system.files import read_json

NOT_ASKED = "not in this configuration"
"""The kind of finding of what a configuration does not ask for."""
_MADE = {
    **dict.fromkeys(("fetch", "prepare", "train-honest", "train-vicious", "train-attack", "evaluate-defense"), "out"),
    **dict.fromkeys(("fit-covariance", "summarize", "write-metrics", "compare", "summarize-defense"), "out"),
    "agree": "estimators",
    "per-class": "classes",
}
"""Which setting of a command names what it made."""
_PATHS = ("data", "covariance", "target", "attack")
_GATHERED = ("results", "scores", *SEVERAL)


class Asked:
    """What a configuration asks for at every scale.

    Args:
        params: the configuration; its own scale does not matter, paths tell theirs.
        configuration: the file that it came from, for messages.
    """

    def __init__(self, params: Params, configuration: Path = PARAMS_FILE) -> None:
        self.configuration = configuration
        self._scales = {scale: params.model_copy(update={"scale": scale}) for scale in get_args(ScaleName)}
        self.at = cache(self._at)

    def _at(self, scale: ScaleName) -> dict[str, dict[str, Any]]:
        own = self._scales[scale]
        return asked(own) | gathered(own)

    def names(self, record: Record) -> bool:
        """Whether results are asked for at all, with whatever settings; what was made by hand elsewhere is not."""
        made = made_by(record)
        scale = None if made is None else scale_of(made)
        return scale is not None and made in self.at(scale)

    def fault(self, record: Record) -> tuple[str, str] | None:
        """Why a record's results are not what is asked for, if they are not: a kind of finding, and what was made."""
        made = made_by(record)
        scale = None if made is None else scale_of(made)
        if made is None or scale is None:
            return None
        if made not in self.at(scale):
            return NOT_ASKED, ""
        found = _settings(record)
        told = [_differs(name, found, due, self.configuration) for name, due in self.at(scale)[made].items()]
        return ("another configuration", "; ".join(filter(None, told))) if any(told) else None


def _differs(name: str, settings: Mapping[str, Any], due: Any, configuration: Path) -> str | None:
    """In what a setting is not the one that is asked for, if it is not; records of old lack settings that had no other value."""
    if name not in settings:
        return f"{name} not told, {configuration} asks for {due}" if due else None
    found = settings[name]
    if name in _PATHS and isinstance(found, str):
        found = plain_name(found)
    if name not in _GATHERED or not isinstance(found, list):
        return None if found == due else f"{name} {found}, {configuration} asks for {due}"
    files = {plain_name(str(file)) for file in found}
    parts = (("lacks", set(due) - files), ("has", files - set(due)))
    told = [f"{verb} {len(which)} such as {min(which)}" for verb, which in parts if which]
    return f"of the {len(due)} {name} that {configuration} asks for it {' and '.join(told)}" if told else None


def asked(params: Params) -> dict[str, dict[str, Any]]:
    """The settings of every step that a scale asks for, before the summaries, by what the step makes (see :func:`made_by`)."""
    scale = params.scale
    found: dict[str, dict[str, Any]] = {}
    for dataset in params.datasets:
        caps = {split: getattr(params.cell(dataset), split) for split in ("train", "validation", "test")}
        drawn = list(caps.values()) if params.study.source == "synthetic" else None
        found[str(paths.source_record(scale, dataset))] = {
            "source": params.study.source,
            "counts": drawn,
            "checksum": [list(pair) for pair in inputs.checksums(params, dataset)],
        }
        of_all = {"split_seed": params.data.split_seed, "images": params.study.source}
        found[str(paths.prepared(scale, dataset))] = {**caps, **of_all}
        found[str(paths.prepared(scale, dataset) / "covariance.safetensors")] = {}
    for one in grid.trainings(params):
        weights = paths.model_folder(scale, one.task, one.model, one.seed) / "target.safetensors"
        found[str(weights)] = {**_schedule(params, one.task, one.seed), **_task(params, one.task), **_losses(one.model)}
    for cell in grid.attacks(params):
        place = cell.task, cell.model, cell.seed
        folder = paths.model_folder(scale, *place)
        target, attack = folder / "target.safetensors", folder / f"{cell.attack}.safetensors"
        found[str(paths.assessment_folder(scale, *place) / f"risk-{cell.attack}")] = {
            "estimator": params.risk.estimator,
            "cutoff": params.risk.cutoff,
            "gallery_images": params.study.gallery,
            "covariance": str(paths.prepared(scale, cell.task.dataset) / "covariance.safetensors"),
            "target": str(target),
            "attack": str(attack),
            **_computed(params, cell.task),
        }
        if cell.attack != "joint":
            of_attack = {"outputs": cell.attack.removeprefix("posthoc-"), "target": str(target)}
            found[str(attack)] = {**_schedule(params, cell.task, cell.seed), **of_attack}
    for one in grid.judged(params):
        scores = paths.assessment_folder(scale, one.task, one.model, one.seed) / "detection.csv"
        target = paths.model_folder(scale, one.task, one.model.trained, one.seed) / "target.safetensors"
        defense = params.cell(one.task.dataset).defense
        settings = {name: getattr(defense, name) for name in ("detectors", "user_images", "draws")}
        of_model = {"target": str(target), "hide": one.model.hidden}
        found[str(scores)] = {**settings, **of_model, **_computed(params, one.task)}
    return found


def gathered(params: Params) -> dict[str, dict[str, list[str]]]:
    """The results of single cells that a scale's summaries, tables and figures are made from, by what is made of them."""
    summaries = paths.summaries(params.scale)
    cells = {experiment: grid.cells(params, experiment) for experiment in grid.EXPERIMENTS}
    found: dict[str, dict[str, list[str]]] = {}
    for experiment, own in cells.items():
        names = [f"{experiment}.csv", f"{experiment}_comparisons.csv"] if own else []
        names += ["estimators.csv", "per_class.csv"] if own and experiment == "main" else []
        found |= {f"{summaries}/{name}": {"results": inputs.assessments(params, own)} for name in names}
    found[str(paths.metrics(params.scale))] = {}
    judged = grid.judged(params)
    if judged:
        found[f"{summaries}/detection.csv"] = {"scores": inputs.judged(params, "detection.csv", judged)}
    for name in (name for experiment in cells for name in inputs.products(params, experiment)):
        files = inputs.product_inputs(params, name)
        several = {key: value for key, value in files.items() if isinstance(value, list)}
        found[_product(paths.figures(params.scale), name)] = several
    return found


def _product(folder: object, name: str) -> str:
    return f"{folder}/{name}.json"


def _schedule(params: Params, task: Task, seed: int) -> dict[str, Any]:
    own = grid.settings(params, str(task))
    names = ("depth", "width", "epochs", "epoch_images", "batch_images", "learning_rate")
    return {
        **{name: getattr(own, name) for name in names},
        "seed": seed,
        **_computed(params, task),
    }


def _computed(params: Params, task: Task) -> dict[str, Any]:
    """What all steps that compute with models share."""
    own = params.runtime
    return {"threads": own.threads, "device": own.device, "data": str(paths.prepared(params.scale, task.dataset))}


def _task(params: Params, task: Task) -> dict[str, Any]:
    counts: Mapping[Any, list[int]] = params.study.class_counts.counts
    fewest = None if task.classes is None else min(counts[task.dataset])
    return {"attributes": task.attributes, "classes": task.classes, "as_many_as": fewest}


def _losses(model: grid.Model) -> dict[str, Any]:
    if model.role == "honest":
        return {"recipe": model.recipe}
    evades = {} if model.evades is None else {"evades": model.evades}
    names = ("outputs", "beta_c", "beta_r", "evasion")
    return {**{name: getattr(model, name) for name in names}, **evades}


def made_by(record: Record) -> str | None:
    """What a command made, as its settings name it; None for commands whose settings params.yaml does not tell."""
    settings = {name: plain_name(value) for name, value in record.settings.items() if isinstance(value, str)}
    if record.command == "assess-risk":
        return f"{settings.get('out')}/risk-{PurePosixPath(settings.get('attack', '')).stem}"
    if record.command in PRODUCTS:
        return _product(settings.get("out"), record.command)
    return settings.get(_MADE.get(record.command, ""))


def _settings(record: Record) -> dict[str, Any]:
    """A record's settings; of prepared data also whether the images are official, which their facts tell."""
    if record.command != "prepare":
        return record.settings
    try:
        facts = read_json(Path(str(record.settings.get("out"))) / "dataset.json")
        return {**record.settings, "images": facts["source"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return record.settings  # that file is told of as missing or altered


def scale_of(made: str) -> ScaleName | None:
    """The scale that a path is of; None for what was made by hand elsewhere."""
    for scale in get_args(ScaleName):
        if made.startswith(tuple(f"{folder}/" for folder in paths.built(scale))):
            return scale
    return None
