"""Configuration, checked once, and the few names that all rules share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from snakemake.exceptions import WorkflowError

from vicious import paths
from vicious.config import check_params
from vicious.data.catalog import CATALOG
from vicious.errors import ConfigError
from vicious.provenance import code_hash

try:
    PARAMS = check_params(config)
except ConfigError as error:
    raise WorkflowError(str(error))

STUDY = PARAMS.study
SCALE = PARAMS.scale
VICIOUS = f'"{sys.executable}" -m vicious'
SETTINGS = {
    paths.vicious_model(outputs, beta_r): (outputs, beta_r)
    for outputs in STUDY.outputs
    for beta_r in STUDY.beta_r
}
VICIOUS_MODELS = list(SETTINGS)
PREPARED = str(paths.prepared(SCALE, "{dataset}"))
RESULTS = str(paths.results(SCALE))
MODEL = str(paths.model_folder(SCALE, "{dataset}", "{model}", "{seed}"))
ASSESSMENT = str(paths.assessment_folder(SCALE, "{dataset}", "{model}", "{seed}"))
HONEST = MODEL.replace("{model}", "honest")
FIGURES = str(paths.figures(SCALE))
ARRAYS = [f"{PREPARED}/{name}" for name in ("dataset.json", *paths.ARRAYS)]


wildcard_constraints:
    dataset="|".join(PARAMS.datasets),
    model=r"honest|vicious-(logits|softmax)-beta[0-9.e+-]+",
    outputs="logits|softmax",
    seed=r"\d+",


def cell(key):
    """The value of one key for a job's dataset, as a rule's parameter."""
    return lambda wildcards: getattr(PARAMS.cell(wildcards.dataset), key)


def limit(split):
    """The command-line option that caps a split, or nothing."""

    def option(wildcards):
        most = getattr(PARAMS.cell(wildcards.dataset), split)
        return "" if most is None else f"--{split} {most}"

    return option


def assessments():
    """(model, attack) pairs of one seed of one dataset."""
    posthoc = [("honest", f"posthoc-{outputs}") for outputs in STUDY.outputs]
    return posthoc + [(model, "joint") for model in VICIOUS_MODELS]
