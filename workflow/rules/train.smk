"""Target models, honest and vicious, and post-hoc attacks on frozen target models."""


rule train_honest:
    input:
        arrays,
    output:
        target=f"{MODEL}/target.safetensors",
        record=f"{MODEL}/target.json",
        curve=f"{MODEL}/target.csv",
        provenance=f"{MODEL}/train_honest.provenance.json",
    log:
        f"{LOGS}/{{task}}/{{model}}/seed{{seed}}/train_honest.log",
    wildcard_constraints:
        model="honest(-.+)?",
    threads: PARAMS.runtime.threads
    resources:
        **takes(training, GPUS),
    params:
        data=subpath(input[0], parent=True),
        task=task_options,
        recipe=recipe_option,
        depth=cell("depth"),
        width=cell("width"),
        epochs=cell("epochs"),
        epoch_images=epoch_option,
        batch_images=cell("batch_images"),
        learning_rate=cell("learning_rate"),
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=code_of("train-honest"),
    message:
        "Train {wildcards.model} on {wildcards.task}, seed {wildcards.seed}"
    shell:
        "vicious train-honest --out {output.target:q}"
        " --data {params.data:q} {params.task} {params.recipe} --depth {params.depth} --width {params.width} --epochs {params.epochs}"
        " {params.epoch_images} --batch-images {params.batch_images} --learning-rate {params.learning_rate} --seed {wildcards.seed}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule train_vicious:
    input:
        arrays,
    output:
        target=f"{MODEL}/target.safetensors",
        record=f"{MODEL}/target.json",
        curve=f"{MODEL}/target.csv",
        attack=f"{MODEL}/joint.safetensors",
        attack_record=f"{MODEL}/joint.json",
        provenance=f"{MODEL}/train_vicious.provenance.json",
    log:
        f"{LOGS}/{{task}}/{{model}}/seed{{seed}}/train_vicious.log",
    wildcard_constraints:
        model="(vicious|autoencoder)-.+",
    threads: PARAMS.runtime.threads
    resources:
        **takes(training, GPUS),
    params:
        data=subpath(input[0], parent=True),
        task=task_options,
        outputs=lambda wildcards: MODEL_OF[wildcards.model].outputs,
        beta_c=lambda wildcards: MODEL_OF[wildcards.model].beta_c,
        beta_r=lambda wildcards: MODEL_OF[wildcards.model].beta_r,
        evasion=evasion_options,
        depth=cell("depth"),
        width=cell("width"),
        epochs=cell("epochs"),
        epoch_images=epoch_option,
        batch_images=cell("batch_images"),
        learning_rate=cell("learning_rate"),
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=code_of("train-vicious"),
    message:
        "Train {wildcards.model} on {wildcards.task}, seed {wildcards.seed}"
    shell:
        "vicious train-vicious --out {output.target:q} --attack-out {output.attack:q} --outputs {params.outputs}"
        " --beta-c {params.beta_c} --beta-r {params.beta_r} {params.evasion}"
        " --data {params.data:q} {params.task} --depth {params.depth} --width {params.width} --epochs {params.epochs}"
        " {params.epoch_images} --batch-images {params.batch_images} --learning-rate {params.learning_rate} --seed {wildcards.seed}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


rule train_attack:
    input:
        arrays,
        target=f"{MODEL}/target.safetensors",
        record=f"{MODEL}/target.json",
    output:
        attack=f"{MODEL}/posthoc-{{outputs}}.safetensors",
        record=f"{MODEL}/posthoc-{{outputs}}.json",
        curve=f"{MODEL}/posthoc-{{outputs}}.csv",
        provenance=f"{MODEL}/posthoc-{{outputs}}.provenance.json",
    log:
        f"{LOGS}/{{task}}/{{model}}/seed{{seed}}/train_attack-{{outputs}}.log",
    threads: PARAMS.runtime.threads
    resources:
        **takes(training, GPUS),
    params:
        data=subpath(input[0], parent=True),
        depth=cell("depth"),
        width=cell("width"),
        epochs=cell("epochs"),
        epoch_images=epoch_option,
        batch_images=cell("batch_images"),
        learning_rate=cell("learning_rate"),
        threads=PARAMS.runtime.threads,
        device=PARAMS.runtime.device,
        code=code_of("train-attack"),
    message:
        "Attack {wildcards.model} on {wildcards.task} by its {wildcards.outputs}, seed {wildcards.seed}"
    shell:
        "vicious train-attack --target {input.target:q} --out {output.attack:q} --outputs {wildcards.outputs}"
        " --data {params.data:q} --depth {params.depth} --width {params.width} --epochs {params.epochs}"
        " {params.epoch_images} --batch-images {params.batch_images} --learning-rate {params.learning_rate} --seed {wildcards.seed}"
        " --threads {params.threads} --device {params.device} --provenance {output.provenance:q} 2> {log:q}"


# One target for each dataset, and one for all.
for dataset in PARAMS.datasets:

    rule:
        name:
            f"models_{dataset}"
        input:
            [
                f"{paths.model_folder(SCALE, one.task, one.model, one.seed)}/target.safetensors"
                for one in TRAININGS
                if one.task.dataset == dataset
            ],
            [
                f"{paths.model_folder(SCALE, cell.task, cell.model, cell.seed)}/{cell.attack}.safetensors"
                for cell in CELLS
                if cell.task.dataset == dataset
            ],


rule models:
    input:
        [getattr(rules, f"models_{dataset}").input for dataset in PARAMS.datasets],
