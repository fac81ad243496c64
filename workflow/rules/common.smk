"""Configuration, checked once, and the few names that all rules share."""

import os
import re
import sys
from pathlib import Path

SRC = str(Path(workflow.basedir) / "src")
sys.path.insert(0, SRC)
# jobs find the `vicious` command of this environment, whether it was activated or not, and run the code beside this file, whose hash
# is in their parameters: in the folder of an experiment of DVC it need not be what is installed
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.getenv("PATH", os.defpath)]
    ),
    PYTHONPATH=os.pathsep.join(filter(None, [SRC, os.getenv("PYTHONPATH")])),
)

from snakemake.exceptions import WorkflowError

from vicious.study import inputs, paths, grid
from vicious.workflow import resources as needs
from vicious.study.config import check_params, from_command_line
from vicious.data.tasks import parse_task
from vicious.system.errors import ConfigError, ProvenanceError, StorageError
from vicious.system.files import check_writable
from vicious.provenance.origin import check_origin
from vicious.provenance.record import code_of

try:
    PARAMS = check_params(from_command_line(config))
except ConfigError as error:
    raise WorkflowError(str(error))

STUDY = PARAMS.study
SCALE = PARAMS.scale
MAIN = grid.cells(PARAMS, "main")
EXPERIMENTS = [name for name in grid.EXPERIMENTS if grid.cells(PARAMS, name)]
CELLS = grid.attacks(PARAMS)
TRAININGS = grid.trainings(PARAMS)
JUDGED = grid.judged(PARAMS)
MODEL_OF = {str(one.model): one.model for one in [*TRAININGS, *JUDGED]}
GPUS = int(PARAMS.runtime.device == "cuda")
SOURCE = str(paths.source_record(SCALE, "{dataset}"))
PREPARED = str(paths.prepared(SCALE, "{dataset}"))
SUMMARIES = str(paths.summaries(SCALE))
METRICS = str(paths.metrics(SCALE))
COMPLETE = str(paths.results(SCALE) / "complete" / "{experiment}.txt")
MODEL = str(paths.model_folder(SCALE, "{task}", "{model}", "{seed}"))
ASSESSMENT = str(paths.assessment_folder(SCALE, "{task}", "{model}", "{seed}"))
LOGS = f"logs/{SCALE}"
FIGURES = str(paths.figures(SCALE))
ARRAYS = [f"{PREPARED}/{name}" for name in ("dataset.json", *paths.ARRAYS)]

if workflow.is_main_process:
    if any(Path(".snakemake/locks").glob("*")):
        print(
            "This folder is locked: another Snakemake works here, or one was killed. `vicious unlock` tells which, and mends it.",
            file=sys.stderr,
        )
    else:
        try:
            check_origin(PARAMS)
        except ProvenanceError as error:
            raise WorkflowError(str(error))
    try:  # where Snakemake itself writes, and says less when it cannot
        check_writable(Path(".snakemake"))
        check_writable(Path(LOGS))
    except StorageError as error:
        raise WorkflowError(str(error))


onstart:
    # Snakemake's default limit of 100 jobs a second makes each look of its scheduler cause another one a second later, as long as jobs
    # wait, so with every job that ends there is one more a second: hundreds of jobs keep a core busy. Another limit stands.
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def any_of(names):
    """A regular expression that matches each of some names, and nothing else."""
    return "|".join(re.escape(name) for name in sorted(set(map(str, names))))


wildcard_constraints:
    dataset="|".join(PARAMS.datasets),
    task=any_of(one.task.folder for one in TRAININGS),
    model=any_of(MODEL_OF),
    outputs=any_of(cell.attack.removeprefix("posthoc-") for cell in CELLS),
    attack=any_of(cell.attack for cell in CELLS),
    experiment="|".join(grid.EXPERIMENTS),
    seed=r"\d+",


def takes(need, gpu=0):
    """Resources of a job: ``need`` tells those of a first attempt from the wildcards, and each further one gets as much again."""
    return {
        "mem_mb": lambda wildcards, attempt: attempt * need(wildcards).mem_mb,
        "runtime": lambda wildcards, attempt: attempt * need(wildcards).runtime,
        "gpu": gpu,
    }


LIGHT = takes(lambda wildcards: needs.LIGHT)
"""Resources of a job that reads and writes tables."""


def training(wildcards):
    """What a training needs."""
    recipe = MODEL_OF[wildcards.model].recipe
    return needs.training(needs.work(PARAMS, wildcards.task, recipe))


def assessment(wildcards):
    """What an assessment needs."""
    return needs.assessment(needs.work(PARAMS, wildcards.task))


def detection(wildcards):
    """What the judgement of a model needs."""
    recipe, defense = MODEL_OF[wildcards.model].recipe, STUDY.defense
    job = needs.work(PARAMS, wildcards.task, recipe)
    return needs.detection(job, defense.user_images, defense.draws)


def preparation(wildcards):
    """What preparing a dataset needs."""
    return needs.preparation(PARAMS, wildcards.dataset)


def factorisation(wildcards):
    """What factorising a dataset's covariance needs."""
    return needs.factorisation(needs.work(PARAMS, wildcards.dataset))


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
    return lambda wildcards: getattr(grid.settings(PARAMS, wildcards.task), key)


def epoch_option(wildcards):
    """The command-line option that caps the images of an epoch, or nothing."""
    most = grid.settings(PARAMS, wildcards.task).epoch_images
    return "" if most is None else f"--epoch-images {most}"


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


def evasion_options(wildcards):
    """The command-line options for a penalty against a detector, or nothing."""
    model = MODEL_OF[wildcards.model]
    return (
        ""
        if model.evades is None
        else f"--evasion {model.evasion} --evades {model.evades}"
    )


def trained(suffix):
    """A file of the target model behind a job's model: that before a code was hidden in its outputs."""

    def file(wildcards):
        model = MODEL_OF[wildcards.model].trained
        folder = paths.model_folder(SCALE, wildcards.task, model, wildcards.seed)
        return f"{folder}/target.{suffix}"

    return file


def hide_option(wildcards):
    """The command-line option that hides the code in a model's outputs, or nothing."""
    code = MODEL_OF[wildcards.model].hidden
    return "" if code is None else f"--hide {code}"


def detectors(wildcards):
    """The detectors that judge the models of a task."""
    return PARAMS.cell(parse_task(wildcards.task).dataset).defense.detectors


def limit(split):
    """The command-line option that caps a split, or nothing."""

    def option(wildcards):
        most = getattr(PARAMS.cell(wildcards.dataset), split)
        return "" if most is None else f"--{split} {most}"

    return option


def assessed(*file):
    """A file of the assessment of each cell of a job's experiment."""
    return lambda wildcards: inputs.assessments(
        PARAMS, grid.cells(PARAMS, wildcards.experiment), *file
    )


def scores_too(wildcards):
    """The detectors' scores, where an experiment has them: a verdict may fail too."""
    if wildcards.experiment != "defense":
        return {}
    return {"scores": f"{SUMMARIES}/detection.csv"}


def fetch_options(wildcards):
    """Command-line options of a fetch: what to verify, or how much to draw."""
    if STUDY.source == "synthetic":
        counts = PARAMS.cell(wildcards.dataset)
        return f"--counts {counts.train} {counts.validation} {counts.test}"
    download = ["--download"] if PARAMS.data.root is None else []
    accepted = inputs.checksums(PARAMS, wildcards.dataset)
    return " ".join(
        [*download, *(f"--checksum {name}={sum_}" for name, sum_ in accepted)]
    )
