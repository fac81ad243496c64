"""Configuration, checked once, and the few names that all rules share."""

import os
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

from vicious import paths
from vicious.config import check_params, from_command_line
from vicious.data.catalog import CATALOG
from vicious.errors import ConfigError
from vicious.provenance import code_hash

try:
    PARAMS = check_params(from_command_line(config))
except ConfigError as error:
    raise WorkflowError(str(error))

STUDY = PARAMS.study
SCALE = PARAMS.scale
SETTINGS = {
    paths.vicious_model(outputs, beta_r): (outputs, beta_r)
    for outputs in STUDY.outputs
    for beta_r in STUDY.beta_r
}
VICIOUS_MODELS = list(SETTINGS)
GPUS = int(PARAMS.runtime.device == "cuda")
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


def galleries():
    """(dataset, post-hoc gallery, vicious gallery) of the first seed, outputs and beta_r."""
    seed, outputs = STUDY.seeds[0], STUDY.outputs[0]
    for dataset in PARAMS.datasets:
        honest = paths.assessment_folder(SCALE, dataset, "honest", seed)
        vicious = paths.assessment_folder(SCALE, dataset, VICIOUS_MODELS[0], seed)
        yield dataset, f"{honest}/gallery-posthoc-{outputs}.npz", f"{vicious}/gallery-joint.npz"
