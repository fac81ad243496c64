"""Tables and figures. They read summaries and galleries, never models."""

REPORT_CODE = code_hash("vicious.report.commands")


def galleries():
    """(dataset, post-hoc gallery, vicious gallery) of the first seed, outputs and beta_r."""
    for dataset in PARAMS.datasets:
        honest, vicious = [cell for cell in MAIN if cell.task.dataset == dataset][:2]
        yield dataset, *(
            f"{paths.assessment_folder(SCALE, cell.task, cell.model, STUDY.seeds[0])}/gallery-{cell.attack}.npz"
            for cell in (honest, vicious)
        )


rule table1:
    input:
        f"{RESULTS}/main.csv",
    output:
        multiext(f"{FIGURES}/table1", ".csv", ".md", ".tex"),
        provenance=f"{FIGURES}/table1.json",
    log:
        f"{LOGS}/table1.log",
    params:
        out=subpath(output[0], parent=True),
        code=REPORT_CODE,
    message:
        "Table 1: honest against vicious"
    shell:
        "vicious table1 --summary {input:q} --out {params.out:q} --provenance {output.provenance:q} 2> {log:q}"


rule figure1:
    input:
        summary=f"{RESULTS}/main.csv",
        galleries=[file for _, *files in galleries() for file in files],
    output:
        multiext(f"{FIGURES}/figure1", ".pdf", ".png", ".md"),
        provenance=f"{FIGURES}/figure1.json",
    log:
        f"{LOGS}/figure1.log",
    params:
        out=subpath(output[0], parent=True),
        galleries=[argument for row in galleries() for argument in ("--gallery", *row)],
        code=REPORT_CODE,
    message:
        "Figure 1: gallery"
    shell:
        "vicious figure1 --summary {input.summary:q} --out {params.out:q} {params.galleries:q}"
        " --provenance {output.provenance:q} 2> {log:q}"


rule figure2:
    input:
        f"{RESULTS}/main.csv",
    output:
        multiext(f"{FIGURES}/figure2", ".pdf", ".png", ".md"),
        provenance=f"{FIGURES}/figure2.json",
    log:
        f"{LOGS}/figure2.log",
    params:
        out=subpath(output[0], parent=True),
        code=REPORT_CODE,
    message:
        "Figure 2: accuracy against risk"
    shell:
        "vicious figure2 --summary {input:q} --out {params.out:q} --provenance {output.provenance:q} 2> {log:q}"


rule figure3:
    input:
        summary=f"{RESULTS}/main.csv",
        detection=rules.summarize_defense.output.scores,
    output:
        multiext(f"{FIGURES}/figure3", ".pdf", ".png", ".md"),
        provenance=f"{FIGURES}/figure3.json",
    log:
        f"{LOGS}/figure3.log",
    params:
        out=subpath(output[0], parent=True),
        code=REPORT_CODE,
    message:
        "Figure 3: detector scores"
    shell:
        "vicious figure3 --summary {input.summary:q} --detection {input.detection:q} --out {params.out:q}"
        " --provenance {output.provenance:q} 2> {log:q}"


rule products:
    input:
        rules.table1.output,
        rules.figure1.output,
        rules.figure2.output,
        rules.figure3.output,
