"""Reconstruction risk of every attack, per image; then summaries, comparisons and statistics of each experiment."""


rule assess_risk:
    input:
        arrays,
        covariance=covariance,
        target=f"{MODEL}/target.safetensors",
        target_record=f"{MODEL}/target.json",
        attack=f"{MODEL}/{{attack}}.safetensors",
        attack_record=f"{MODEL}/{{attack}}.json",
    output:
        per_image=f"{ASSESSMENT}/risk-{{attack}}.parquet",
        summary=f"{ASSESSMENT}/risk-{{attack}}.json",
        estimators=f"{ASSESSMENT}/estimators-{{attack}}.csv",
        gallery=f"{ASSESSMENT}/gallery-{{attack}}.npz",
        provenance=f"{ASSESSMENT}/risk-{{attack}}.provenance.json",
    log:
        f"{LOGS}/{{task}}/{{model}}/seed{{seed}}/assess_risk-{{attack}}.log",
    group:
        "assess_{task}"
    threads: PARAMS.runtime.threads
    resources:
        **takes(assessment, GPUS),
    params:
        data=subpath(input[0], parent=True),
        out=subpath(output.summary, parent=True),
        estimator=PARAMS.risk.estimator,
        cutoff=PARAMS.risk.cutoff,
        gallery=STUDY.gallery,
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=code_of("assess-risk"),
    message:
        "Assess {wildcards.attack} on {wildcards.model}, {wildcards.task}, seed {wildcards.seed}"
    shell:
        "vicious assess-risk --data {params.data:q} --covariance {input.covariance:q} --target {input.target:q}"
        " --attack {input.attack:q} --out {params.out:q} --gallery-images {params.gallery}"
        " --estimator {params.estimator} --cutoff {params.cutoff}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule summarize:
    input:
        assessed(),
    output:
        summary=f"{SUMMARIES}/{{experiment}}.csv",
        provenance=f"{SUMMARIES}/{{experiment}}.provenance.json",
    log:
        f"{LOGS}/summarize-{{experiment}}.log",
    group:
        lambda wildcards: f"report_{wildcards.experiment}"
    threads: 1
    resources:
        **LIGHT,
    params:
        code=code_of("summarize"),
    message:
        "Summarize {wildcards.experiment} of {SCALE}"
    shell:
        "vicious summarize {input:q} --out {output.summary:q} --provenance {output.provenance:q} 2> {log:q}"


rule write_metrics:
    input:
        f"{SUMMARIES}/main.csv",
    output:
        metrics=METRICS,
        provenance=METRICS.replace(".json", ".provenance.json"),
    log:
        f"{LOGS}/write_metrics.log",
    group:
        "report_main"
    threads: 1
    resources:
        **LIGHT,
    params:
        code=code_of("write-metrics"),
    message:
        "Numbers of the main comparison of {SCALE}"
    shell:
        "vicious write-metrics {input:q} --out {output.metrics:q} --provenance {output.provenance:q} 2> {log:q}"


rule compare:
    input:
        summaries=assessed(),
        per_image=assessed("risk", "parquet"),
    output:
        comparisons=f"{SUMMARIES}/{{experiment}}_comparisons.csv",
        provenance=f"{SUMMARIES}/{{experiment}}_comparisons.provenance.json",
    log:
        f"{LOGS}/compare-{{experiment}}.log",
    group:
        lambda wildcards: f"report_{wildcards.experiment}"
    threads: 1
    resources:
        **LIGHT,
    params:
        code=code_of("compare"),
    message:
        "Compare the attacks of {wildcards.experiment} image by image"
    shell:
        "vicious compare {input.summaries:q} --out {output.comparisons:q} --provenance {output.provenance:q} 2> {log:q}"


rule agree:
    input:
        summaries=inputs.assessments(PARAMS, MAIN),
        per_image=inputs.assessments(PARAMS, MAIN, "risk", "parquet"),
        estimators=inputs.assessments(PARAMS, MAIN, "estimators", "csv"),
    output:
        estimators=f"{SUMMARIES}/estimators.csv",
        agreement=f"{SUMMARIES}/agreement.csv",
        provenance=f"{SUMMARIES}/estimators.provenance.json",
    log:
        f"{LOGS}/agree.log",
    group:
        "report_main"
    threads: 1
    resources:
        **LIGHT,
    params:
        code=code_of("agree"),
    message:
        "How estimators of the risk agree with PSNR and SSIM"
    shell:
        "vicious agree {input.summaries:q} --estimators {output.estimators:q} --agreement {output.agreement:q}"
        " --provenance {output.provenance:q} 2> {log:q}"


rule per_class:
    input:
        summaries=inputs.assessments(PARAMS, MAIN),
        per_image=inputs.assessments(PARAMS, MAIN, "risk", "parquet"),
    output:
        classes=f"{SUMMARIES}/per_class.csv",
        attributes=f"{SUMMARIES}/per_attribute.csv",
        provenance=f"{SUMMARIES}/per_class.provenance.json",
    log:
        f"{LOGS}/per_class.log",
    group:
        "report_main"
    threads: 1
    resources:
        **LIGHT,
    params:
        code=code_of("per-class"),
    message:
        "Who is at risk: measures by class"
    shell:
        "vicious per-class {input.summaries:q} --classes {output.classes:q} --attributes {output.attributes:q}"
        " --provenance {output.provenance:q} 2> {log:q}"


rule check_complete:
    input:
        unpack(scores_too),
        summary=rules.summarize.output.summary,
    output:
        COMPLETE,
    log:
        f"{LOGS}/check_complete-{{experiment}}.log",
    localrule: True
    threads: 1
    resources:
        **LIGHT,
    params:
        scores=lambda wildcards, input: (
            f"--scores {input.scores}" if "scores" in input.keys() else ""
        ),
        code=code_of("check-complete"),
    message:
        "Look for failed cells in {wildcards.experiment}"
    shell:
        "vicious check-complete {input.summary:q} {params.scores} --out {output:q} 2> {log:q}"
