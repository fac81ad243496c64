"""What each table and figure is made from, and the files that it consists of."""

from vicious.report.products import PRODUCTS, SEVERAL

SUFFIXES = {"table": (".csv", ".md", ".tex"), "figure": (".pdf", ".png", ".md")}
BUILT = [
    name for experiment in EXPERIMENTS for name in inputs.products(PARAMS, experiment)
]


def product_inputs(name):
    """A product's inputs by the option that passes them, and what lies beside these and is read too."""
    files = inputs.product_inputs(PARAMS, name)
    cells = grid.cells(PARAMS, PRODUCTS[name].experiment)
    if "assessments" in files:
        files["per_image"] = inputs.assessments(PARAMS, cells, suffix="parquet")
        files["galleries"] = inputs.assessments(PARAMS, cells, "gallery", "npz")
    if "curves" in files:
        files["records"] = [
            f"{curve.removesuffix('.csv')}.json" for curve in files["curves"]
        ]
    return files


def product_options(name):
    """The command-line options that pass a product's inputs, as words."""
    words = []
    for key, value in inputs.product_inputs(PARAMS, name).items():
        words += [f"--{key}", *(value if key in SEVERAL else [value])]
    return words


def product_outputs(name):
    """Files of a product; figure 4 has one of each for every dataset and kind of outputs."""
    stems = [name]
    if name == "figure4":
        kinds = dict.fromkeys((cell.task, cell.attack) for cell in MAIN)
        stems = [
            f"figure4_{task}_{attack.removeprefix('posthoc-')}"
            for task, attack in kinds
            if attack != "joint"
        ]
    suffixes = SUFFIXES["table" if name.startswith("table") else "figure"]
    return [f"{FIGURES}/{stem}{suffix}" for stem in stems for suffix in suffixes]


def products_of(experiment):
    """The files of all tables and figures of an experiment."""
    return [
        file
        for name in inputs.products(PARAMS, experiment)
        for file in [*product_outputs(name), f"{FIGURES}/{name}.json"]
    ]


def left_out():
    """Experiments, tables and figures that there are none of in this configuration."""
    return [
        name
        for name in [*grid.EXPERIMENTS, *PRODUCTS]
        if name not in EXPERIMENTS and name not in BUILT
    ]


def refuse(name):
    """The input of a target that is left out: none, and why."""

    def nothing(wildcards):
        raise WorkflowError(
            f"there is nothing for {name} in this configuration: `datasets` and `scales.{SCALE}` tell what is built"
        )

    return nothing
