# The study as a table of contents. `snakemake --cores N` builds every table and figure of the scale in params.yaml;
# `--config scale=pilot` picks another, `'datasets=[mnist]'` narrows it.
import os

from snakemake.utils import min_version

min_version("9.0")


# with --directory: that folder's own, if it has one
configfile: "params.yaml" if os.path.exists("params.yaml") else workflow.source_path("params.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/steps.smk"
include: "workflow/rules/targets.smk"


rule all:
    default_target: True
    input:
        files_of("data", "models", "assessments", "summaries", "figures"),
