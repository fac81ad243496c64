# The study as a table of contents. `snakemake --cores N` builds every table and figure of the scale in params.yaml;
# `--config scale=pilot` picks another, `'datasets=[mnist]'` narrows it.
from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/steps.smk"
include: "workflow/rules/targets.smk"


rule all:
    default_target: True
    input:
        files_of("data", "models", "assessments", "summaries", "figures"),
        paths.verified(SCALE),
        paths.report(SCALE),
