"""From official files, or synthetic stand-ins, to arrays and the covariance behind the risk."""


def fetch_options(wildcards):
    if STUDY.source == "official":
        names = [
            name
            for file in CATALOG[wildcards.dataset].files
            for name in (file.name, file.path)
        ]
        checks = "".join(
            f" --checksum {name}={value}"
            for name, value in sorted(PARAMS.data.checksums.items())
            if name in names
        )
        return ("--download" if PARAMS.data.root is None else "") + checks
    cell = PARAMS.cell(wildcards.dataset)
    return f"--counts {cell.train} {cell.validation} {cell.test}"


rule fetch:
    output:
        str(paths.source_record(SCALE, "{dataset}")),
    log:
        f"logs/{SCALE}/{{dataset}}/fetch.log",
    params:
        source=STUDY.source,
        root=str(paths.raw_root(SCALE, STUDY.source, PARAMS.data.root)),
        options=fetch_options,
        code=code_hash(
            "vicious.data.source"
            if STUDY.source == "synthetic"
            else "vicious.data.fetch"
        ),
    message:
        "Fetch {wildcards.dataset} ({params.source})"
    shell:
        "{VICIOUS} fetch --dataset {wildcards.dataset} --source {params.source} --root {params.root:q}"
        " --out {output:q} {params.options} 2> {log:q}"


rule prepare:
    input:
        rules.fetch.output,
    output:
        ARRAYS,
    log:
        f"logs/{SCALE}/{{dataset}}/prepare.log",
    params:
        out=PREPARED,
        train=limit("train"),
        validation=limit("validation"),
        test=limit("test"),
        split_seed=PARAMS.data.split_seed,
        attributes=STUDY.attributes,
        code=code_hash("vicious.data.prepare"),
    message:
        "Prepare {wildcards.dataset}"
    shell:
        "{VICIOUS} prepare --source {input:q} --out {params.out:q} {params.train} {params.validation} {params.test}"
        " --split-seed {params.split_seed} --attributes {params.attributes} 2> {log:q}"


rule fit_covariance:
    input:
        ARRAYS,
    output:
        f"{PREPARED}/covariance.safetensors",
    log:
        f"logs/{SCALE}/{{dataset}}/fit_covariance.log",
    params:
        data=PREPARED,
        code=code_hash("vicious.metrics.moments"),
    message:
        "Factorise the covariance of {wildcards.dataset}"
    shell:
        "{VICIOUS} fit-covariance --data {params.data:q} --out {output:q} 2> {log:q}"


rule data:
    input:
        expand(ARRAYS, dataset=PARAMS.datasets),
        expand(rules.fit_covariance.output, dataset=PARAMS.datasets),
