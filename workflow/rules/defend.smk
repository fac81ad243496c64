"""Detectors that tell vicious from honest by a user's own images."""


rule evaluate_defense:
    input:
        arrays,
        target=trained("safetensors"),
        record=trained("json"),
    output:
        scores=f"{ASSESSMENT}/detection.csv",
        provenance=f"{ASSESSMENT}/detection.provenance.json",
    log:
        f"{LOGS}/{{task}}/{{model}}/seed{{seed}}/evaluate_defense.log",
    threads: PARAMS.runtime.threads
    resources:
        **takes(detection, GPUS),
    params:
        data=subpath(input[0], parent=True),
        hide=hide_option,
        detectors=detectors,
        user_images=STUDY.defense.user_images,
        draws=STUDY.defense.draws,
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=code_of("evaluate-defense"),
    message:
        "Judge {wildcards.model} on {wildcards.task}, seed {wildcards.seed}"
    shell:
        "vicious evaluate-defense --data {params.data:q} --target {input.target:q} {params.hide} --out {output.scores:q}"
        " --detectors {params.detectors} --user-images {params.user_images} --draws {params.draws} --threads {params.threads}"
        " --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule summarize_defense:
    input:
        inputs.judged(PARAMS, "detection.csv", JUDGED),
    output:
        scores=f"{SUMMARIES}/detection.csv",
        separation=f"{SUMMARIES}/detection_summary.csv",
        called=f"{SUMMARIES}/detection_called.csv",
        provenance=f"{SUMMARIES}/detection.provenance.json",
    log:
        f"{LOGS}/summarize_defense.log",
    group:
        "report_defense"
    threads: 1
    resources:
        **LIGHT,
    params:
        code=code_of("summarize-defense"),
    message:
        "Summarize detectors of {SCALE}"
    shell:
        "vicious summarize-defense {input:q} --out {output.scores:q} --separation {output.separation:q} --called {output.called:q}"
        " --provenance {output.provenance:q} 2> {log:q}"


# One target for each dataset, and one for all, summarised.
for dataset in PARAMS.datasets:

    rule:
        name:
            f"assessments_{dataset}"
        input:
            inputs.assessments(
                PARAMS, [cell for cell in CELLS if cell.task.dataset == dataset]
            ),
            inputs.judged(
                PARAMS,
                "detection.csv",
                [one for one in JUDGED if one.task.dataset == dataset],
            ),


rule results:
    input:
        expand(
            f"{SUMMARIES}/{{experiment}}{{kind}}",
            experiment=EXPERIMENTS,
            kind=[".csv", "_comparisons.csv"],
        ),
        METRICS,
        rules.agree.output,
        rules.per_class.output,
        rules.summarize_defense.output if JUDGED else [],
