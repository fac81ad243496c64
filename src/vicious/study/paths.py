"""Where everything lies, relative to the project's root. The Snakefile and the commands' defaults take it from here.

data/raw/official/                     official files, torchvision's layout
data/raw/synthetic/<scale>/            synthetic stand-ins, same layout
data/source/<scale>/<dataset>/         the verified files behind a dataset
data/prepared/<scale>/<dataset>/       arrays, statistics, covariance
results/<scale>/models/<dataset>/[<part>/]<model>/seed<seed>/        weights, records and curves of a target model and its attacks
results/<scale>/assessments/<dataset>/[<part>/]<model>/seed<seed>/   what was measured on it
results/<scale>/summaries/*.csv        one row per cell, comparisons, statistics of each experiment
results/<scale>/summaries/metrics.json means of the main experiment, for dvc metrics
results/<scale>/complete/              experiments of which no cell failed
paper_figures/<scale>/                 tables and figures

A task is a dataset, or a part of its labels (:mod:`vicious.data.tasks`), which has a folder in the dataset's: what is of one
dataset lies in one folder. Models are named as in :mod:`vicious.study.grid`.
"""

from pathlib import PurePosixPath as Path

from vicious.data.tasks import Task

RAW_OFFICIAL = Path("data/raw/official")
ARRAYS = tuple(f"{split}_{kind}.npy" for split in ("train", "validation", "test") for kind in ("images", "labels"))


def raw_root(scale: str, source: str, root: str | None) -> Path:
    """Folder with the files of the official layout."""
    if source == "synthetic":
        return Path("data/raw/synthetic") / scale
    return RAW_OFFICIAL if root is None else Path(root)


def source_record(scale: str, dataset: str) -> Path:
    """JSON that lists the verified files of a dataset."""
    return Path("data/source") / scale / dataset / "source.json"


def prepared(scale: str, dataset: str) -> Path:
    """Folder of a prepared dataset."""
    return Path("data/prepared") / scale / dataset


def results(scale: str) -> Path:
    """Folder of all results of a scale."""
    return Path("results") / scale


def summaries(scale: str) -> Path:
    """Folder of the CSVs that tables and figures are made from."""
    return results(scale) / "summaries"


def metrics(scale: str) -> Path:
    """JSON of the main comparison's numbers."""
    return summaries(scale) / "metrics.json"


def figures(scale: str) -> Path:
    """Folder of all tables and figures of a scale."""
    return Path("paper_figures") / scale


def built(scale: str) -> tuple[Path, ...]:
    """Folders of all that is built for a scale."""
    return Path("data/source") / scale, prepared(scale, ""), results(scale), figures(scale)


def model_folder(scale: str, task: Task | str, model: object, seed: int | str) -> Path:
    """Folder of one target model and the attack models trained on it."""
    return results(scale) / "models" / _task_folder(task) / str(model) / f"seed{seed}"


def assessment_folder(scale: str, task: Task | str, model: object, seed: int | str) -> Path:
    """Folder of what was measured on one target model."""
    return results(scale) / "assessments" / _task_folder(task) / str(model) / f"seed{seed}"


def _task_folder(task: Task | str) -> str:
    """A task's folder, or a name that is one already."""
    return task if isinstance(task, str) else task.folder
