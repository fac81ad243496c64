"""Targets: the stages of each dataset, every experiment, every table and figure by name and by number."""

for dataset in PARAMS.datasets:
    for stage in ("data", "models", "assessments"):

        rule:
            name:
                f"{stage}_{dataset}"
            input:
                files_of(stage, dataset=dataset),


rule data:
    input:
        files_of("data"),


rule models:
    input:
        files_of("models"),


rule results:
    input:
        files_of("summaries"),


# Each experiment: its tables and figures, and an error if one of its cells failed.
for experiment in PLAN.experiments():

    rule:
        name:
            experiment
        input:
            files_of("figures", experiment=experiment),


# The last job of the whole study: what tables, figures and summaries were made from is what the records say. Of files
# that were swapped or edited Snakemake alone sees nothing.
rule verify_study:
    input:
        all_results,
    output:
        touch(str(paths.verified(SCALE))),
    log:
        f"{LOGS}/verify_study.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
        gpu=0,
    params:
        file=str(
            MERGED if workflow.config_settings.replace_workflow_config else own_file()
        ),
        records=[
            record
            for record, one in PLAN.by_record.items()
            if one.step.STAGE in ("summaries", "figures")
        ],
    message:
        "Verify the study"
    shell:
        "vicious verify {params.records:q} --file {params.file:q} > {log:q} 2>&1"


# One page that shows all of it.
rule report:
    input:
        all_results,
    output:
        str(paths.report(SCALE)),
    log:
        f"{LOGS}/report.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        file=str(MERGED),
    message:
        "Write the report page"
    shell:
        "vicious report --file {params.file:q} --out {output:q} > {log:q} 2>&1"


# The number of a table or figure is another name of its target.
for artifact in known().values():
    if artifact.alias is not None and artifact.name in PLAN.rules:

        rule:
            name:
                artifact.alias
            input:
                PLAN.rules[artifact.name][0].outputs,


# What this configuration leaves out, whose targets say so.
for absent in PLAN.left_out():

    rule:
        name:
            absent
        input:
            refuse(absent),


# A mistyped target: no file of the study lies in the root folder itself.
rule no_such_target:
    input:
        mistyped,
    output:
        "{target}",
    wildcard_constraints:
        target="[^/]+",
    localrule: True
