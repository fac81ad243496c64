"""Configuration, checked once, and the few names that all rules share."""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "src"))
# jobs find the `vicious` command of this environment, whether it was activated or not
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.getenv("PATH", os.defpath)]
    )
)

from snakemake.exceptions import WorkflowError

from vicious import paths, study
from vicious.config import check_params, from_command_line
from vicious.data.catalog import CATALOG
from vicious.data.tasks import parse_task
from vicious.errors import ConfigError
from vicious.provenance import code_hash

try:
    PARAMS = check_params(from_command_line(config))
except ConfigError as error:
    raise WorkflowError(str(error))

STUDY = PARAMS.study
SCALE = PARAMS.scale
MAIN = study.cells(PARAMS, "main")
EXPERIMENTS = [name for name in study.EXPERIMENTS if study.cells(PARAMS, name)]
MODELS = study.models(PARAMS)
MODEL_OF = {str(model): model for models in MODELS.values() for model in models}
GPUS = int(PARAMS.runtime.device == "cuda")
PREPARED = str(paths.prepared(SCALE, "{dataset}"))
SUMMARIES = str(paths.summaries(SCALE))
COMPLETE = str(paths.results(SCALE) / "complete" / "{experiment}.txt")
MODEL = str(paths.model_folder(SCALE, "{task}", "{model}", "{seed}"))
ASSESSMENT = str(paths.assessment_folder(SCALE, "{task}", "{model}", "{seed}"))
LOGS = f"logs/{SCALE}"
FIGURES = str(paths.figures(SCALE))
ARRAYS = [f"{PREPARED}/{name}" for name in ("dataset.json", *paths.ARRAYS)]


wildcard_constraints:
    dataset="|".join(PARAMS.datasets),
    task="|".join(map(str, MODELS)),
    model="|".join(map(re.escape, MODEL_OF)),
    outputs="logits|softmax",
    attack="joint|posthoc-logits|posthoc-softmax",
    experiment="|".join(study.EXPERIMENTS),
    seed=r"\d+",


def arrays(wildcards):
    """The prepared arrays that a task needs."""
    return expand(ARRAYS, dataset=parse_task(wildcards.task).dataset)


def covariance(wildcards):
    """The factorised covariance behind a task's risk: that of its whole dataset."""
    return str(
        paths.prepared(SCALE, parse_task(wildcards.task).dataset)
        / "covariance.safetensors"
    )


def cell(key):
    """The value of one key for a job's task, as a rule's parameter."""
    return lambda wildcards: getattr(study.settings(PARAMS, wildcards.task), key)


def task_options(wildcards):
    """Command-line options that restrict a dataset to a task."""
    task = parse_task(wildcards.task)
    if task.attributes is not None:
        return f"--attributes {task.attributes}"
    if task.classes is None:
        return ""
    return f"--classes {task.classes} --as-many-as {min(STUDY.class_counts.counts[task.dataset])}"


def recipe_option(wildcards):
    """The command-line option that names an honest model's recipe, or nothing."""
    recipe = MODEL_OF[wildcards.model].recipe
    return "" if recipe is None else f"--recipe {recipe}"


def limit(split):
    """The command-line option that caps a split, or nothing."""

    def option(wildcards):
        most = getattr(PARAMS.cell(wildcards.dataset), split)
        return "" if most is None else f"--{split} {most}"

    return option


def assessments(cells, suffix="json"):
    """The files of the assessments of cells, for every seed."""
    return [
        f"{paths.assessment_folder(SCALE, cell.task, cell.model, seed)}/risk-{cell.attack}.{suffix}"
        for cell in cells
        for seed in study.seeds(PARAMS, cell.task)
    ]


def judged(file):
    """A file of every model that detectors judge."""
    return sorted(
        f"{paths.assessment_folder(SCALE, task, model, seed)}/{file}"
        for task, model in study.judged(PARAMS)
        for seed in study.seeds(PARAMS, task)
    )


def fetch_options(wildcards):
    """Command-line options of a fetch: what to verify, or how much to draw."""
    if STUDY.source == "synthetic":
        counts = PARAMS.cell(wildcards.dataset)
        return f"--counts {counts.train} {counts.validation} {counts.test}"
    own = {
        name
        for file in CATALOG[wildcards.dataset].files
        for name in (file.name, file.path)
    }
    named = sorted(own & PARAMS.data.checksums.keys())
    download = ["--download"] if PARAMS.data.root is None else []
    return " ".join(
        download
        + [f"--checksum {name}={PARAMS.data.checksums[name]}" for name in named]
    )
