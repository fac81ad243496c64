"""Where everything lies, relative to the project's root. The Snakefile and the commands' defaults take it from here.

data/raw/official/                     official files, torchvision's layout
data/raw/synthetic/<scale>/            synthetic stand-ins, same layout
data/source/<scale>/<dataset>.json     the verified files behind a dataset
data/prepared/<scale>/<dataset>/       arrays, statistics, covariance
results/<scale>/<dataset>/<model>/seed<seed>/   weights, curves, assessments, detector scores of one model
results/<scale>/*.csv                  summaries
paper_figures/<scale>/                 tables and figures
"""

from pathlib import PurePosixPath as Path

RAW_OFFICIAL = Path("data/raw/official")
ARRAYS = tuple(f"{split}_{kind}.npy" for split in ("train", "validation", "test") for kind in ("images", "labels"))


def raw_root(scale: str, source: str, root: str | None) -> Path:
    """Folder with the files of the official layout."""
    if source == "synthetic":
        return Path("data/raw/synthetic") / scale
    return RAW_OFFICIAL if root is None else Path(root)


def source_record(scale: str, dataset: str) -> Path:
    """JSON that lists the verified files of a dataset."""
    return Path("data/source") / scale / f"{dataset}.json"


def prepared(scale: str, dataset: str) -> Path:
    """Folder of a prepared dataset."""
    return Path("data/prepared") / scale / dataset


def results(scale: str) -> Path:
    """Folder of all results of a scale."""
    return Path("results") / scale


def figures(scale: str) -> Path:
    """Folder of all tables and figures of a scale."""
    return Path("paper_figures") / scale


def vicious_model(outputs: str, beta_r: float) -> str:
    """Name of a vicious model in paths, for instance ``vicious-logits-beta1``."""
    return f"vicious-{outputs}-beta{repr(float(beta_r)).removesuffix('.0')}"


def model_folder(scale: str, dataset: str, model: str, seed: int | str) -> Path:
    """Folder of one target model and the attack models trained on it."""
    return results(scale) / "models" / dataset / model / f"seed{seed}"


def assessment_folder(scale: str, dataset: str, model: str, seed: int | str) -> Path:
    """Folder of what was measured on one target model."""
    return results(scale) / "assessments" / dataset / model / f"seed{seed}"
