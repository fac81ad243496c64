"""What each table and figure is made from, and the files that it consists of."""

from vicious.data.catalog import CATALOG
from vicious.report.products import PRODUCTS, SEVERAL

LABELS = {CATALOG[name].multilabel for name in PARAMS.datasets}
"""Whether the study's labels are attributes (True), classes (False), or both."""
LEFT_OUT = {
    *([] if False in LABELS else ["table6"]),
    *([] if True in LABELS else ["table7"]),
}
SUFFIXES = {"table": (".csv", ".md", ".tex"), "figure": (".pdf", ".png", ".md")}
BUILT = [
    name
    for name, product in PRODUCTS.items()
    if product.experiment in EXPERIMENTS and name not in LEFT_OUT
]


def product_inputs(name):
    """A product's inputs by the option that passes them, and what lies beside these and is read too."""
    experiment = PRODUCTS[name].experiment
    cells = study.cells(PARAMS, experiment)
    curves = training_curves(cells)
    files = {
        "summary": f"{SUMMARIES}/{experiment}.csv",
        "comparisons": f"{SUMMARIES}/{experiment}_comparisons.csv",
        "estimators": f"{SUMMARIES}/estimators.csv",
        "agreement": f"{SUMMARIES}/agreement.csv",
        "classes": f"{SUMMARIES}/per_class.csv",
        "attributes": f"{SUMMARIES}/per_attribute.csv",
        "detection": f"{SUMMARIES}/detection.csv",
        "separation": f"{SUMMARIES}/detection_summary.csv",
        "called": f"{SUMMARIES}/detection_called.csv",
        "verdicts": judged("detection.provenance.json"),
        "assessments": assessments(cells),
        "curves": curves,
    }
    chosen = {key: files[key] for key in PRODUCTS[name].inputs}
    if "assessments" in chosen:
        chosen["per_image"] = assessments(cells, "parquet")
        chosen["galleries"] = [
            file.replace("risk-", "gallery-") for file in assessments(cells, "npz")
        ]
    if "curves" in chosen:
        chosen["records"] = [f"{curve.removesuffix('.csv')}.json" for curve in curves]
    return chosen


def product_options(name):
    """The command-line options that pass a product's inputs, as words."""
    files = product_inputs(name)
    words = []
    for key in PRODUCTS[name].inputs:
        words += [f"--{key}", *(files[key] if key in SEVERAL else [files[key]])]
    return words


def training_curves(cells):
    """The curves of all trainings behind some cells: of target models, and of post-hoc attacks."""
    names = {
        f"{paths.model_folder(SCALE, cell.task, cell.model, cell.seed)}/{name}.csv"
        for cell in cells
        for name in {"target", cell.attack} - {"joint"}
    }
    return sorted(names)


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
        for name in BUILT
        if PRODUCTS[name].experiment == experiment
        for file in [*product_outputs(name), f"{FIGURES}/{name}.json"]
    ]
