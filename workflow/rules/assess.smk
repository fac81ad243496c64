"""Reconstruction risk of every attack, per image and in summary."""


rule assess_risk:
    input:
        ARRAYS,
        covariance=rules.fit_covariance.output,
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
        f"logs/{SCALE}/{{dataset}}/{{model}}/seed{{seed}}/assess_risk-{{attack}}.log",
    wildcard_constraints:
        attack="joint|posthoc-logits|posthoc-softmax",
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
        "Assess {wildcards.attack} on {wildcards.model}, {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "vicious assess-risk --data {params.data:q} --covariance {input.covariance:q} --target {input.target:q}"
        " --attack {input.attack:q} --per-image {output.per_image:q} --summary {output.summary:q}"
        " --gallery {output.gallery:q} --gallery-images {params.gallery} --estimator {params.estimator}"
        " --cutoff {params.cutoff} --share {params.share} --threads {params.threads} --device {params.device}"
        " --provenance {output.provenance:q} 2> {log:q}"


rule summarize:
    input:
        [
            f"{paths.assessment_folder(SCALE, dataset, model, seed)}/risk-{attack}.json"
            for dataset in PARAMS.datasets
            for model, attack in assessments()
            for seed in STUDY.seeds
        ],
    output:
        summary=f"{RESULTS}/summary.csv",
        provenance=f"{RESULTS}/summary.provenance.json",
    log:
        f"logs/{SCALE}/summarize.log",
    params:
        code=code_hash("vicious.metrics.summary"),
    message:
        "Summarize {SCALE}"
    shell:
        "vicious summarize {input:q} --out {output.summary:q} --provenance {output.provenance:q} 2> {log:q}"
