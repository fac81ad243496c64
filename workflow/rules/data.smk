"""From official files, or synthetic stand-ins, to arrays and the covariance behind the risk."""


rule fetch:
    output:
        record=SOURCE,
        provenance=SOURCE.replace("source.json", "fetch.provenance.json"),
    log:
        f"{LOGS}/{{dataset}}/fetch.log",
    localrule: True
    threads: 1
    resources:
        **LIGHT,
    params:
        source=STUDY.source,
        root=str(paths.raw_root(SCALE, STUDY.source, PARAMS.data.root)),
        options=fetch_options,
        code=code_of("fetch"),
    message:
        "Fetch {wildcards.dataset} ({params.source})"
    shell:
        "vicious fetch --dataset {wildcards.dataset} --source {params.source} --root {params.root:q}"
        " --out {output.record:q} {params.options} --provenance {output.provenance:q} 2> {log:q}"


rule prepare:
    input:
        SOURCE,
    output:
        ARRAYS,
        provenance=f"{PREPARED}/prepare.provenance.json",
    log:
        f"{LOGS}/{{dataset}}/prepare.log",
    group:
        "data"
    threads: 1
    resources:
        **takes(preparation),
    params:
        out=subpath(output[0], parent=True),
        train=limit("train"),
        validation=limit("validation"),
        test=limit("test"),
        split_seed=PARAMS.data.split_seed,
        code=code_of("prepare"),
    message:
        "Prepare {wildcards.dataset}"
    shell:
        "vicious prepare --source {input:q} --out {params.out:q} {params.train} {params.validation} {params.test}"
        " --split-seed {params.split_seed} --provenance {output.provenance:q} 2> {log:q}"


rule fit_covariance:
    input:
        ARRAYS,
    output:
        covariance=f"{PREPARED}/covariance.safetensors",
        provenance=f"{PREPARED}/covariance.provenance.json",
    log:
        f"{LOGS}/{{dataset}}/fit_covariance.log",
    group:
        "data"
    threads: 1
    resources:
        **takes(factorisation),
    params:
        data=subpath(input[0], parent=True),
        code=code_of("fit-covariance"),
    message:
        "Factorise the covariance of {wildcards.dataset}"
    shell:
        "vicious fit-covariance --data {params.data:q} --out {output.covariance:q} --provenance {output.provenance:q} 2> {log:q}"


# One target for each dataset, and one for all.
for dataset in PARAMS.datasets:

    rule:
        name:
            f"data_{dataset}"
        input:
            expand(rules.prepare.output, dataset=dataset),
            expand(rules.fit_covariance.output, dataset=dataset),


rule data:
    input:
        [getattr(rules, f"data_{dataset}").input for dataset in PARAMS.datasets],
