"""Tables and figures: one rule and one target for each. They read summaries, per-image tables and galleries, never models."""

for product in BUILT:

    rule:
        name:
            product
        input:
            **product_inputs(product),
        output:
            product_outputs(product),
            provenance=f"{FIGURES}/{product}.json",
        log:
            f"{LOGS}/{product}.log",
        group:
            f"report_{PRODUCTS[product].experiment}"
        threads: 1
        resources:
            **LIGHT,
        params:
            command=product,
            out=subpath(output[0], parent=True),
            options=product_options(product),
            code=code_of(product),
        message:
            f"{product.capitalize()}: {PRODUCTS[product].title}"
        shell:
            "vicious {params.command} {params.options:q} --out {params.out:q}"
            " --provenance {output.provenance:q} 2> {log:q}"


# One target for each experiment: its tables and figures, and an error if one of its cells failed.
for experiment in EXPERIMENTS:

    rule:
        name:
            experiment
        input:
            COMPLETE.format(experiment=experiment),
            products_of(experiment),


# What this configuration leaves out, whose targets say so.
for absent in left_out():

    rule:
        name:
            absent
        input:
            refuse(absent),


rule products:
    input:
        [products_of(experiment) for experiment in EXPERIMENTS],
