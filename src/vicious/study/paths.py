"""Where everything lies, relative to the project's root. A path is written here, and parsed nowhere.

data/raw/official/                     official files, torchvision's layout
data/raw/synthetic/<scale>/            synthetic stand-ins, same layout
data/source/<scale>/<dataset>/         the verified files behind a dataset
data/prepared/<scale>/<dataset>/       arrays, statistics, covariance
results/<scale>/models/<dataset>/[<part>/]<model>/seed<seed>/        weights, records and curves of a target model and
its attacks
results/<scale>/assessments/<dataset>/[<part>/]<model>/seed<seed>/   what was measured on it
results/<scale>/summaries/*.csv        one row per cell, comparisons, statistics of each experiment
results/<scale>/summaries/metrics.json means of the main experiment, for dvc metrics
results/<scale>/complete/              experiments of which no cell failed; that the whole study was verified
results/<scale>/report.html            a page that shows all of it
paper_figures/<scale>/                 tables and figures
models/<scale>/<dataset>/[<part>/]<model>/seed<seed>/   a published model: weights, records, card
logs/<scale>/                          what each job reported

A task is a dataset, or a part of its labels (:mod:`vicious.data.tasks`), which has a folder in the dataset's: what is
of one dataset lies in one folder. Models and attacks are named as in :mod:`vicious.study.grid`. Every name may be a
wildcard of the workflow's, such as ``{model}``.
"""

from pathlib import Path

RAW_OFFICIAL = Path("data/raw/official")
PUBLISHED = Path("models")
"""Folder of the models that Git keeps."""


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


def covariance(scale: str, dataset: str) -> Path:
    """A dataset's mean and factorised covariance."""
    return prepared(scale, dataset) / "covariance.safetensors"


def results(scale: str) -> Path:
    """Folder of all results of a scale."""
    return Path("results") / scale


def target(scale: str, task: str, model: str, seed: str) -> Path:
    """Weights of a target model; attack models on it lie beside."""
    return results(scale) / "models" / task / model / f"seed{seed}" / "target.safetensors"


def published(scale: str, task: str, model: str, seed: str) -> Path:
    """Folder of a published model, with its card."""
    return PUBLISHED / scale / task / model / f"seed{seed}"


def measured(scale: str, task: str, model: str, seed: str) -> Path:
    """Folder of what was measured on a target model."""
    return results(scale) / "assessments" / task / model / f"seed{seed}"


def assessment(scale: str, task: str, model: str, seed: str, attack: str) -> Path:
    """JSON of an attack's assessment."""
    return measured(scale, task, model, seed) / f"risk-{attack}.json"


def detection(scale: str, task: str, model: str, seed: str) -> Path:
    """CSV of the detectors' scores of a target model."""
    return measured(scale, task, model, seed) / "detection.csv"


def membership(scale: str, task: str, model: str, seed: str) -> Path:
    """JSON of what a target model's loss tells of its training images."""
    return measured(scale, task, model, seed) / "membership.json"


def summaries(scale: str) -> Path:
    """Folder of the CSVs that tables and figures are made from."""
    return results(scale) / "summaries"


def summary(scale: str, experiment: str) -> Path:
    """CSV with a row per cell of an experiment."""
    return summaries(scale) / f"{experiment}.csv"


def complete(scale: str, experiment: str) -> Path:
    """What is written once no cell of an experiment failed."""
    return results(scale) / "complete" / f"{experiment}.txt"


def verified(scale: str) -> Path:
    """What is written once all of a study is what its records say."""
    return results(scale) / "complete" / "verified.txt"


def report(scale: str) -> Path:
    """The page with all results of a scale."""
    return results(scale) / "report.html"


def figures(scale: str) -> Path:
    """Folder of all tables and figures of a scale."""
    return Path("paper_figures") / scale


def logs(scale: str) -> Path:
    """Folder of all logs of a scale."""
    return Path("logs") / scale


def built(scale: str) -> tuple[Path, ...]:
    """Folders of all that is built for a scale."""
    return Path("data/source") / scale, prepared(scale, ""), results(scale), figures(scale)


def places(rule: str, scale: str, **names: str) -> dict[str, Path]:
    """The settings of a rule's step that name what it writes, and what tells its files apart.

    Args:
        rule: its name, such as ``train_honest``.
        names: what stands in its file names; more may be given than it uses.
    """
    one = {key: names[key] for key in ("task", "model", "seed") if key in names}
    match rule:
        case "fetch":
            return {"out": source_record(scale, names["dataset"])}
        case "prepare":
            return {"out": prepared(scale, names["dataset"])}
        case "fit_covariance":
            return {"out": covariance(scale, names["dataset"])}
        case "train_honest":
            return {"out": target(scale, **one)}
        case "train_vicious":
            return {"out": target(scale, **one), "attack_out": target(scale, **one).with_name("joint.safetensors")}
        case "train_attack":
            return {"out": target(scale, **one).with_name(f"{names['attack']}.safetensors")}
        case "assess_risk":
            attack = target(scale, **one).with_name(f"{names['attack']}.safetensors")
            return {"attack": attack, "out": measured(scale, **one)}
        case "choose_best":
            return {"out": assessment(scale, **one, attack=names["attack"])}
        case "evaluate_defense":
            return {"out": detection(scale, **one)}
        case "measure_membership":
            return {"out": membership(scale, **one)}
        case "summarize":
            return {"out": summary(scale, names["experiment"])}
        case "compare":
            return {"out": summaries(scale) / f"{names['experiment']}_comparisons.csv"}
        case "check_complete":
            return {"out": complete(scale, names["experiment"])}
        case "agree":
            return {"estimators": summaries(scale) / "estimators.csv", "agreement": summaries(scale) / "agreement.csv"}
        case "per_class":
            folder = summaries(scale)
            return {"classes": folder / "per_class.csv", "attributes": folder / "per_attribute.csv"}
        case "summarize_membership":
            return {"out": summaries(scale) / "membership.csv"}
        case "write_metrics":
            return {"out": summaries(scale) / "metrics.json"}
        case "summarize_defense":
            folder = summaries(scale)
            files = {"out": "detection", "separation": "detection_summary", "flagged": "detection_flagged"}
            return {key: folder / f"{name}.csv" for key, name in files.items()}
    return {}


def log(rule: str, scale: str, **names: str) -> Path:
    """Where a job reports, by the names in its rule's file names."""
    folders = [names[key] for key in ("dataset", "task", "model") if key in names]
    folders += [f"seed{names['seed']}"] if "seed" in names else []
    ending = [names[key] for key in ("attack", "experiment") if key in names]
    return logs(scale).joinpath(*folders, f"{'-'.join([rule, *ending])}.log")
