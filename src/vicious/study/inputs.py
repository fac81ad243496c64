"""The files that summaries, tables and figures are made from, out of the study's grid. Rules ask for them, and `vicious verify` too."""

from collections.abc import Iterable

from vicious.data.catalog import CATALOG
from vicious.report.products import PRODUCTS
from vicious.study import grid, paths
from vicious.study.config import Params


def checksums(params: Params, dataset: str) -> list[tuple[str, str]]:
    """What is accepted of a dataset's files in place of the official ones: names, sorted, and checksums; none of drawn ones."""
    own = {name for file in CATALOG[dataset].files for name in (file.name, file.path)}
    named = sorted(own & params.data.checksums.keys()) if params.study.source == "official" else []
    return [(name, params.data.checksums[name]) for name in named]


def assessments(params: Params, cells: Iterable[grid.Cell], stem: str = "risk", suffix: str = "json") -> list[str]:
    """A file of the assessment of each cell: "risk" (.json, .parquet), "estimators" (.csv) or "gallery" (.npz)."""
    return [
        f"{paths.assessment_folder(params.scale, cell.task, cell.model, cell.seed)}/{stem}-{cell.attack}.{suffix}"
        for cell in cells
    ]


def judged(params: Params, file: str, models: Iterable[grid.Training]) -> list[str]:
    """A file of each model that detectors judge."""
    return sorted(f"{paths.assessment_folder(params.scale, one.task, one.model, one.seed)}/{file}" for one in models)


def training_curves(params: Params, cells: Iterable[grid.Cell]) -> list[str]:
    """The curves of all trainings behind some cells: of target models, and of post-hoc attacks."""
    names = {
        f"{paths.model_folder(params.scale, cell.task, cell.model, cell.seed)}/{name}.csv"
        for cell in cells
        for name in {"target", cell.attack} - {"joint"}
    }
    return sorted(names)


def products(params: Params, experiment: grid.Experiment) -> list[str]:
    """The tables and figures of an experiment: none without cells, those of classes or of attributes where labels are these."""
    labels = {CATALOG[name].multilabel for name in params.datasets}
    left_out = {name for name, multilabel in (("table6", False), ("table7", True)) if multilabel not in labels}
    own = [name for name, product in PRODUCTS.items() if product.experiment == experiment and name not in left_out]
    return own if grid.cells(params, experiment) else []


def product_inputs(params: Params, name: str) -> dict[str, str | list[str]]:
    """A table's or figure's inputs, by the option that passes them."""
    summaries = paths.summaries(params.scale)
    product = PRODUCTS[name]
    cells = grid.cells(params, product.experiment)
    files: dict[str, str | list[str]] = {
        "summary": f"{summaries}/{product.experiment}.csv",
        "comparisons": f"{summaries}/{product.experiment}_comparisons.csv",
        "estimators": f"{summaries}/estimators.csv",
        "agreement": f"{summaries}/agreement.csv",
        "classes": f"{summaries}/per_class.csv",
        "attributes": f"{summaries}/per_attribute.csv",
        "detection": f"{summaries}/detection.csv",
        "separation": f"{summaries}/detection_summary.csv",
        "called": f"{summaries}/detection_called.csv",
        "verdicts": judged(params, "detection.provenance.json", grid.judged(params)),
        "assessments": assessments(params, cells),
        "curves": training_curves(params, cells),
    }
    return {key: files[key] for key in product.inputs}
