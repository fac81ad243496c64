"""Tables and figures. They read summaries and galleries, never models."""

REPORT_CODE = code_hash("vicious.report.commands")


def figure(name):
    """Files of one figure."""
    return multiext(f"{FIGURES}/{name}", ".pdf", ".png", ".md", ".json")


def galleries(wildcards=None):
    """(dataset, post-hoc gallery, vicious gallery) of the first seed, outputs and beta_r."""
    seed, outputs = STUDY.seeds[0], STUDY.outputs[0]
    for dataset in PARAMS.datasets:
        honest = paths.assessment_folder(SCALE, dataset, "honest", seed)
        vicious = paths.assessment_folder(SCALE, dataset, VICIOUS_MODELS[0], seed)
        yield dataset, f"{honest}/gallery-posthoc-{outputs}.npz", f"{vicious}/gallery-joint.npz"


rule table1:
    input:
        rules.summarize.output.summary,
    output:
        multiext(f"{FIGURES}/table1", ".csv", ".md", ".tex", ".json"),
    log:
        f"logs/{SCALE}/table1.log",
    params:
        out=FIGURES,
        code=REPORT_CODE,
    message:
        "Table 1: honest against vicious"
    shell:
        "{VICIOUS} table1 --summary {input:q} --out {params.out:q} --provenance {output[3]:q} 2> {log:q}"


rule figure1:
    input:
        rules.summarize.output.summary,
        [file for _, *files in galleries() for file in files],
    output:
        figure("figure1"),
    log:
        f"logs/{SCALE}/figure1.log",
    params:
        out=FIGURES,
        galleries=[argument for row in galleries() for argument in ("--gallery", *row)],
        code=REPORT_CODE,
    message:
        "Figure 1: gallery"
    shell:
        "{VICIOUS} figure1 --summary {input[0]:q} --out {params.out:q} {params.galleries:q}"
        " --provenance {output[3]:q} 2> {log:q}"


rule figure2:
    input:
        rules.summarize.output.summary,
    output:
        figure("figure2"),
    log:
        f"logs/{SCALE}/figure2.log",
    params:
        out=FIGURES,
        code=REPORT_CODE,
    message:
        "Figure 2: accuracy against risk"
    shell:
        "{VICIOUS} figure2 --summary {input:q} --out {params.out:q} --provenance {output[3]:q} 2> {log:q}"


rule figure3:
    input:
        summary=rules.summarize.output.summary,
        detection=rules.summarize_defense.output.scores,
    output:
        figure("figure3"),
    log:
        f"logs/{SCALE}/figure3.log",
    params:
        out=FIGURES,
        code=REPORT_CODE,
    message:
        "Figure 3: detector scores"
    shell:
        "{VICIOUS} figure3 --summary {input.summary:q} --detection {input.detection:q} --out {params.out:q}"
        " --provenance {output[3]:q} 2> {log:q}"


rule products:
    input:
        rules.table1.output,
        rules.figure1.output,
        rules.figure2.output,
        rules.figure3.output,
