"""Reconstruction risk of every attack, per image; then summaries, comparisons and statistics of each experiment."""

MAIN = study.cells(PARAMS, "main")
EXPERIMENTS = [name for name in study.EXPERIMENTS if study.cells(PARAMS, name)]


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
        gallery=f"{ASSESSMENT}/gallery-{{attack}}.npz",
        provenance=f"{ASSESSMENT}/risk-{{attack}}.provenance.json",
    log:
        f"{LOGS}/{{task}}/{{model}}/seed{{seed}}/assess_risk-{{attack}}.log",
    threads: PARAMS.runtime.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input[0], parent=True),
        estimator=PARAMS.risk.estimator,
        cutoff=PARAMS.risk.cutoff,
        share=PARAMS.risk.share,
        gallery=STUDY.gallery,
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=code_hash("vicious.metrics.assess", "vicious.runtime"),
    message:
        "Assess {wildcards.attack} on {wildcards.model}, {wildcards.task}, seed {wildcards.seed}"
    shell:
        "vicious assess-risk --data {params.data:q} --covariance {input.covariance:q} --target {input.target:q}"
        " --attack {input.attack:q} --per-image {output.per_image:q} --summary {output.summary:q}"
        " --gallery {output.gallery:q} --gallery-images {params.gallery} --estimator {params.estimator}"
        " --cutoff {params.cutoff} --share {params.share} --threads {params.threads} --device {params.device}"
        " --provenance {output.provenance:q} 2> {log:q}"


rule summarize:
    input:
        lambda wildcards: assessments(study.cells(PARAMS, wildcards.experiment)),
    output:
        summary=f"{RESULTS}/{{experiment}}.csv",
        provenance=f"{RESULTS}/{{experiment}}.provenance.json",
    log:
        f"{LOGS}/summarize-{{experiment}}.log",
    params:
        code=code_hash("vicious.metrics.summary"),
    message:
        "Summarize {wildcards.experiment} of {SCALE}"
    shell:
        "vicious summarize {input:q} --out {output.summary:q} --provenance {output.provenance:q} 2> {log:q}"
