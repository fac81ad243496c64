"""Target models, honest and vicious, and post-hoc attacks on frozen target models."""

TRAINING_CODE = code_hash("vicious.training.jobs", "vicious.runtime")


rule train_honest:
    input:
        ARRAYS,
    output:
        target=f"{HONEST}/target.safetensors",
        record=f"{HONEST}/target.json",
        curve=f"{HONEST}/target.csv",
        provenance=f"{HONEST}/train_honest.provenance.json",
    log:
        f"logs/{SCALE}/{{dataset}}/honest/seed{{seed}}/train_honest.log",
    threads: PARAMS.runtime.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input[0], parent=True),
        depth=cell("depth"),
        width=cell("width"),
        epochs=cell("epochs"),
        batch_images=cell("batch_images"),
        learning_rate=cell("learning_rate"),
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=TRAINING_CODE,
    message:
        "Train an honest model on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "vicious train-honest --out {output.target:q}"
        " --data {params.data:q} --depth {params.depth} --width {params.width} --epochs {params.epochs}"
        " --batch-images {params.batch_images} --learning-rate {params.learning_rate} --seed {wildcards.seed}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule train_vicious:
    input:
        ARRAYS,
    output:
        target=f"{MODEL}/target.safetensors",
        record=f"{MODEL}/target.json",
        curve=f"{MODEL}/target.csv",
        attack=f"{MODEL}/joint.safetensors",
        attack_record=f"{MODEL}/joint.json",
        provenance=f"{MODEL}/train_vicious.provenance.json",
    log:
        f"logs/{SCALE}/{{dataset}}/{{model}}/seed{{seed}}/train_vicious.log",
    wildcard_constraints:
        model="vicious-.+",
    threads: PARAMS.runtime.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input[0], parent=True),
        outputs=lambda wildcards: SETTINGS[wildcards.model][0],
        beta_c=STUDY.beta_c,
        beta_r=lambda wildcards: SETTINGS[wildcards.model][1],
        depth=cell("depth"),
        width=cell("width"),
        epochs=cell("epochs"),
        batch_images=cell("batch_images"),
        learning_rate=cell("learning_rate"),
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=TRAINING_CODE,
    message:
        "Train {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "vicious train-vicious --out {output.target:q} --attack-out {output.attack:q} --outputs {params.outputs}"
        " --beta-c {params.beta_c} --beta-r {params.beta_r}"
        " --data {params.data:q} --depth {params.depth} --width {params.width} --epochs {params.epochs}"
        " --batch-images {params.batch_images} --learning-rate {params.learning_rate} --seed {wildcards.seed}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule train_attack:
    input:
        ARRAYS,
        target=f"{MODEL}/target.safetensors",
        record=f"{MODEL}/target.json",
    output:
        attack=f"{MODEL}/posthoc-{{outputs}}.safetensors",
        record=f"{MODEL}/posthoc-{{outputs}}.json",
        curve=f"{MODEL}/posthoc-{{outputs}}.csv",
        provenance=f"{MODEL}/posthoc-{{outputs}}.provenance.json",
    log:
        f"logs/{SCALE}/{{dataset}}/{{model}}/seed{{seed}}/train_attack-{{outputs}}.log",
    threads: PARAMS.runtime.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input[0], parent=True),
        depth=cell("depth"),
        width=cell("width"),
        epochs=cell("epochs"),
        batch_images=cell("batch_images"),
        learning_rate=cell("learning_rate"),
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=TRAINING_CODE,
    message:
        "Attack {wildcards.model} on {wildcards.dataset} by its {wildcards.outputs}, seed {wildcards.seed}"
    shell:
        "vicious train-attack --target {input.target:q} --out {output.attack:q} --outputs {wildcards.outputs}"
        " --data {params.data:q} --depth {params.depth} --width {params.width} --epochs {params.epochs}"
        " --batch-images {params.batch_images} --learning-rate {params.learning_rate} --seed {wildcards.seed}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule models:
    input:
        expand(
            rules.train_honest.output.target, dataset=PARAMS.datasets, seed=STUDY.seeds
        ),
        expand(
            rules.train_vicious.output.target,
            dataset=PARAMS.datasets,
            model=VICIOUS_MODELS,
            seed=STUDY.seeds,
        ),
        expand(
            rules.train_attack.output.attack,
            dataset=PARAMS.datasets,
            model="honest",
            outputs=STUDY.outputs,
            seed=STUDY.seeds,
        ),
