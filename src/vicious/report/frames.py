"""What tables and figures share: the groups of a summary, means over seeds that keep failures, and words for captions.

A *group* is all seeds of one model and attack on one task, at one kind of output and one weight of the reconstruction
loss. Unless others are asked for, the attack is the one that is reported: the best of all, or, where a summary has
none, the original's: post-hoc on honest models, joint on vicious ones and autoencoders. Models of servers that evade
detectors are left alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from vicious.data.datasets import dataset_names, find_dataset
from vicious.data.tasks import parse_task
from vicious.models.evaded import evasion, trained_otherwise
from vicious.results.assessments import Assessment
from vicious.results.schema import ATTACK_OF, BEST, SUMMARY, Role, applies, reported, unique
from vicious.results.summaries import failed_cells
from vicious.study.grid import task_outputs, task_title
from vicious.system.errors import DataError

PERCENT = 100.0
STAND_IN = " (synthetic stand-in)"
"""What follows the title of data that are not the official ones."""
CLASS_COUNTS = (
    "All class counts of a dataset use the same number of training images: as many as the smallest count has. They are "
    "not the same images, and with more classes they are more varied. Covariance and mean image are those of the whole "
    "dataset."
)
"""What a reader must know to compare models of some of the classes."""
MERGED_CLASSES = (
    "All numbers of groups of a dataset use the same images. Classes are merged at random, once for all models, into "
    "groups of equal size, or of sizes that differ by one; intervals do not cover this choice. The largest number may "
    "be that of the classes, of which none is merged then. Accuracy is that of telling the groups. With more groups "
    "the label alone tells more, too: see the predicted class mean."
)
"""What a reader must know to compare models of merged classes."""
PUBLISHED = "truncated 1.2e-07"
"""The published R, by its estimator's name in results: what the pseudo-inverse of a covariance in float32 keeps."""
IN_PERCENT = ("accuracy", "calibration_error", "top1")
"""Measures that tables give in percent."""

_BEST = (
    "Best attack: of all attack models on the same outputs, for each measure the one that reads the most from "
    "validation images."
)
ATTACKS = {
    False: "Post-hoc: an attack model trained afterwards, on the finished target model. Joint: the one that was "
    "trained with the target model.",
    True: "Post-hoc and joint: the original study's attacks, by an attack model that was trained afterwards, on the "
    f"finished target model, or with it, which honest models do not have. {_BEST}",
}
"""What a reader must know of the attacks, with and without the best one."""
_SHORT = {"posthoc": "post-hoc", "joint": "joint", BEST: "best attack"}
_ESTIMATORS = {"ledoit_wolf": "Ledoit-Wolf"}
"""Estimators whose name in results is none for readers."""


@dataclass(frozen=True)
class OverSeeds:
    """One measure over the seeds of one group: mean and standard deviation (ddof 1), NaN where there are too few.

    Attributes:
        ok: seeds that succeeded, over which they are.
        total: seeds that were planned; 0 where nothing was run, or where the measure does not apply.
    """

    mean: float
    sd: float
    ok: int
    total: int

    @property
    def failed(self) -> int:
        """Seeds planned without a result."""
        return self.total - self.ok


NO_SEEDS = OverSeeds(math.nan, math.nan, 0, 0)
"""A measure of nothing, or one that does not apply; no seed of it failed."""


@dataclass(frozen=True)
class Group:
    """All seeds of one model and attack; ``rows`` is a slice of the summary, empty where nothing was run.

    ``attack`` is that of the rows. ``beta_r`` is 0 for honest models, NaN for a vicious group that was not run.
    ``evasion`` is the weight of a vicious server's penalty against the detector ``evades``; 0 and "" in
    :func:`groups`.
    """

    task: str
    dataset: str
    role: Role
    attack: str
    outputs: str
    beta_r: float
    rows: pd.DataFrame
    evades: str = ""
    evasion: float = 0.0

    def not_run(self, role: Role, beta_r: float, attack: str) -> "Group":
        return replace(self, role=role, attack=attack, beta_r=beta_r, rows=self.rows.iloc[:0])

    @property
    def ok(self) -> pd.DataFrame:
        return self.rows.loc[self.rows["status"] == "ok"]

    @property
    def planned(self) -> int:
        return len(self.rows)

    @property
    def k(self) -> int | None:
        """Number of outputs of the target models, None where nothing was run."""
        return int(self.rows["k"].iloc[0]) if len(self.rows) else None

    @property
    def images(self) -> int | None:
        """Number of test images; None where no seed succeeded."""
        numbers = self.ok["n"].dropna()
        return int(numbers.iloc[0]) if len(numbers) else None

    @property
    def label(self) -> str:
        return _label([self])

    def applies(self, column: str) -> bool:
        """Whether the column means anything for this role."""
        return applies(column, self.role)

    def over_seeds(self, column: str, scale: float = 1.0) -> OverSeeds:
        """The column, times ``scale``, over the seeds. A seed whose value is missing counts as failed."""
        if not self.applies(column):
            return NO_SEEDS
        return over_seeds(self.ok[column].to_numpy(dtype=float) * scale, self.planned)

    def measured(self, columns: Iterable[str]) -> dict[str, OverSeeds]:
        """Some columns over the seeds, those :data:`IN_PERCENT` in percent."""
        return {name: self.over_seeds(name, scale_of(name)) for name in columns}

    def difference(self, other: "Group", column: str) -> OverSeeds:
        """The column minus that of another group, over the seeds that both have; a seed that either lacks counts as
        failed."""
        mine, theirs = (group.ok.set_index("seed")[column].astype(float) for group in (self, other))
        return over_seeds((mine - theirs).dropna().to_numpy(), self.planned)

    def failures(self) -> list[str]:
        failed = failed_cells(self.rows)
        lacking = self.ok.loc[self.ok["reason"] != "", "reason"]  # the best attack, without one that failed
        failed = pd.concat([failed, lacking.drop(failed.index, errors="ignore")])
        seeds: dict[str, list[str]] = {}
        for seed, reason in zip(self.rows.loc[failed.index, "seed"], failed, strict=True):
            seeds.setdefault(one_line(reason), []).append(f"{seed:g}")
        return [f"{self.label}, seed {', '.join(which)}: {reason}" for reason, which in seeds.items()]

    def assessments(self, by_key: Mapping[Any, Assessment]) -> list[Assessment]:
        """Those of the seeds that succeeded, from all by their keys."""
        return [by_key[key] for key in self.ok[list(SUMMARY.key)].itertuples(index=False, name=None)]

    def facts(self) -> dict[str, Any]:
        """What a table's row says of it, by the names of columns; ``seeds`` are those planned."""
        return {
            **{"dataset": self.dataset, "task": self.task, "title": title(self.task), "outputs": self.outputs},
            **{"role": self.role, "attack": self.attack, "beta_r": self.beta_r},
            **{"n_images": self.images, "seeds": self.planned, "failures": "; ".join(self.failures())},
        }


def over_seeds(values: np.ndarray, planned: int) -> OverSeeds:
    """Mean and standard deviation of ``values`` (one per seed), NaN values counted as failed."""
    good = values[~np.isnan(values)]
    mean = float(np.mean(good)) if len(good) else math.nan
    spread = len(good) > 1 and bool(np.isfinite(good).all())
    return OverSeeds(mean, float(np.std(good, ddof=1)) if spread else math.nan, len(good), max(planned, len(values)))


def scale_of(measure: str) -> float:
    return PERCENT if measure in IN_PERCENT else 1.0


def groups(summary: pd.DataFrame, attacks: Mapping[Role, str] | None = None) -> list[Group]:
    """The groups of a checked summary: by task in the catalogue's order, then by outputs, role and beta_R.

    ``attacks`` are the roles wanted, in their order, and the attack on each; None: those that are reported.
    """
    attacks = _reported(summary) if attacks is None else attacks
    found: list[Group] = []
    for role, attack in attacks.items():
        chosen = summary.loc[(summary["role"] == role) & (summary["attack"] == attack) & (summary["evasion"] == 0)]
        keys = ["task", "dataset", "outputs", *(["beta_r"] if role == "vicious" else [])]
        for (task, dataset, outputs, *_), rows in chosen.groupby(keys, dropna=False):
            unique(rows, ("task", "role", "attack", "outputs", "seed"), "summary")
            names, beta_r = (str(task), str(dataset), role, attack, str(outputs)), float(rows["beta_r"].iloc[0])
            found.append(Group(*names, beta_r, rows.sort_values("seed")))
    if not found:
        wanted = " nor ".join(f"the attack {attack} on {role} models" for role, attack in attacks.items())
        raise DataError(f"the summary holds neither {wanted}: run the steps that assess them, then the summary again")
    roles = list(attacks)
    return sorted(found, key=lambda group: (*order(group.task), group.outputs, roles.index(group.role), group.beta_r))


def failures(found: Iterable[Group]) -> list[str]:
    return [line for group in found for line in group.failures()]


def failed_seeds(found: Iterable[Group]) -> list[str]:
    """The groups with failed seeds, and how many: ``MNIST, vicious (logits, beta_R = 1, 3): 1 of 3 seeds``.

    Groups that differ in beta_R only, and failed alike, share a line.
    """
    alike: dict[tuple[Any, ...], list[Group]] = {}
    for group in found:
        risk = group.over_seeds("risk")
        if risk.failed:
            model = (group.task, group.role, group.outputs, _otherwise(group), group.evades, group.evasion)
            alike.setdefault((*model, risk.failed, risk.total), []).append(group)
    return [f"{_label(same)}: {failed} of {total} seeds" for (*_, failed, total), same in alike.items()]


def spread(found: Iterable[Group]) -> str:
    """What the points of a figure are: ``mean ± s.d. over n = 3 seeds``, ``n = 1 seed``, ``no seed succeeded``."""
    counts = sorted({group.over_seeds("risk").ok for group in found} - {0})
    if counts in ([], [1]):
        return "n = 1 seed" if counts else "no seed succeeded"
    return f"mean ± s.d. over n = {counts[0] if len(counts) == 1 else f'{counts[0]} to {counts[-1]}'} seeds"


def order(task: str) -> tuple[int, int, str]:
    """Sorting key: the catalogue's order, then the number of outputs, then tasks that it does not know by name."""
    try:
        parsed = parse_task(task)
        return dataset_names().index(parsed.dataset), task_outputs(parsed), task
    except ValueError:
        return len(dataset_names()), 0, task


title = task_title
"""The title of a task (or a dataset), or its name where it is unknown."""


def attack_title(role: str, beta_r: float, attack: str) -> str:
    """A model and the attack on it: ``honest, post-hoc``, ``vicious, beta_R = 1, joint``, ``honest, best attack``."""
    model = role if role != "vicious" or math.isnan(beta_r) else f"vicious, beta_R = {beta_r:g}"
    return f"{model}, {_SHORT.get(attack, attack)}"


def attack_words(summary: pd.DataFrame) -> dict[Role, str]:
    """The attack that is reported, by role, for captions: ``best attack``, ``post-hoc attack``."""
    return {role: f"{_SHORT[attack].removesuffix(' attack')} attack" for role, attack in _reported(summary).items()}


def model_words(summary: pd.DataFrame) -> dict[Role, str]:
    """Names of models for legends: ``honest, post-hoc`` beside ``vicious``.

    Where the best attack is shown, which :func:`attack_line` says, they are the roles alone.
    """
    attack = _reported(summary)["honest"]
    names: dict[Role, str] = {role: role for role in ATTACK_OF}
    return names if attack == BEST else names | {"honest": f"honest, {_SHORT[attack]}"}


def attack_line(summary: pd.DataFrame) -> str:
    """A line above a figure: ``best attack on every model`` where that is shown, else ""."""
    return f"{_SHORT[BEST]} on every model" if BEST in set(summary["attack"]) else ""


def about_best(summary: pd.DataFrame, measure: str = "") -> str:
    """A note on the best attack where that is shown, else "".

    ``measure``: the one that the attack was chosen for, where all that is shown comes from one attack.
    """
    if not attack_line(summary):
        return ""
    return _BEST + (f" Shown here: the one for {measure}." if measure else "")


def protocols(summary: pd.DataFrame) -> list[Mapping[Role, str]]:
    """The attacks that a summary compares, by role: the original's, and the best of all where it has one."""
    best = _reported(summary)
    return [ATTACK_OF, *([best] if best != ATTACK_OF else [])]


def reported_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of the attack that is reported; ``rows`` have the columns ``role`` and ``attack``."""
    return rows.loc[rows["attack"] == rows["role"].map(_reported(rows))]


def _reported(rows: pd.DataFrame) -> dict[Role, str]:
    return reported(set(rows["attack"]))


def sources(summary: pd.DataFrame) -> dict[str, str]:
    """The data source of each task of a checked summary, in order."""
    found = dict(zip(summary["task"], summary["source"], strict=True))
    return {task: found[task] for task in sorted(found, key=order)}


def marked_title(task: str, source: str) -> str:
    """The title, followed by ``(synthetic stand-in)`` where the data are not the official ones."""
    return title(task) + (STAND_IN if source == "synthetic" else "")


def conditions(
    summary: pd.DataFrame,
    *,
    accuracy: bool = False,
    risk: bool = False,
    all_seeds: pd.DataFrame | None = None,
    found: Sequence[Group] | None = None,
) -> str:
    """Sentences for a caption: data source, test images, seeds, outputs and beta_R actually used.

    Attributes are explained where accuracies are shown, covariances of too few images are named where R is. Where one
    seed of each model is shown, ``all_seeds`` has the rows of all, to tell which it is. ``found`` are the groups shown;
    by default those of :func:`groups`.
    """
    found = groups(summary) if found is None else found
    datasets = dict.fromkeys(group.dataset for group in found)
    source = dict(zip(summary["dataset"], summary["source"], strict=True))
    several = attribute_datasets(datasets) if accuracy else []
    betas = sorted({group.beta_r for group in found if group.role == "vicious"})
    sentences = [
        listed("Data", ((dataset, source_words(source[dataset])) for dataset in datasets)),
        listed("Test images", ((group.task, f"{group.images:,}") for group in found if group.images is not None)),
        _seeds(found, all_seeds),
        f"Outputs: {', '.join(dict.fromkeys(group.outputs for group in found))}.",
        f"Accuracy on {', '.join(several)}: mean over attributes." if several else "",
        f"Weight of the reconstruction loss in vicious training: beta_R = {_numbers(betas)}." if betas else "",
        _few_images(summary) if risk else "",
    ]
    return " ".join(filter(None, sentences))


def risk_words(summary: pd.DataFrame) -> str:
    """The R of a checked summary for readers: ``the published R``, or the estimator that it is under.

    ``R`` alone where no seed succeeded.
    """
    used = sorted({str(name) for name in summary.loc[summary["status"] == "ok", "estimator"]})
    if used in ([], [PUBLISHED]):
        return "the published R" if used else "R"
    return f"R under {', '.join(_ESTIMATORS.get(name, name) for name in used)}, not the published one"


def risk_elsewhere(summary: pd.DataFrame) -> str:
    """A sentence, after a space, for a caption that shows the published R beside others; "" where all others do too."""
    words = risk_words(summary)
    return "" if words in ("R", "the published R") else f" R of other tables and figures: {words}."


def attribute_datasets(datasets: Iterable[str]) -> list[str]:
    return [title(name) for name in datasets if name in dataset_names() and find_dataset(name).multilabel]


def source_words(source: str) -> str:
    """A data source for readers: that of stand-ins says that they are synthetic."""
    return {"synthetic": "synthetic stand-in"}.get(source, source)


def listed(name: str, items: Iterable[tuple[str, str]]) -> str:
    """``name: value.`` where all tasks agree, else ``name: value (A, B); other (C).``"""
    holders: dict[str, dict[str, None]] = {}
    for task, value in items:
        holders.setdefault(value, {})[title(task)] = None
    if len(holders) < 2:
        return "".join(f"{name}: {value}." for value in holders)
    return f"{name}: " + "; ".join(f"{value} ({', '.join(names)})" for value, names in holders.items()) + "."


def one_line(text: object) -> str:
    """A reason as one phrase; semicolons, which separate the failures of one row of a table, become commas."""
    return " ".join(str(text).replace(";", ",").split()).rstrip(".")


def _seeds(found: Sequence[Group], all_seeds: pd.DataFrame | None) -> str:
    """How many seeds there are, or which one of ``all_seeds`` is shown."""
    if all_seeds is None:
        return listed("Seeds per model", ((group.task, str(group.planned)) for group in found))
    planned = {group.label: group.planned for group in groups(all_seeds)}
    places = {label: f"the first of {count}" if count > 1 else "the only one" for label, count in planned.items()}
    shown = ((group.task, f"{group.rows['seed'].iloc[0]:g}, {places[group.label]}") for group in found)
    return listed("Seed shown", shown)


def _few_images(summary: pd.DataFrame) -> str:
    """A warning of covariances from no more images than there are pixels; "" without any."""
    few = summary["covariance_images"].astype(float) <= summary["pixels"].astype(float)
    names = ", ".join(title(name) for name in dict.fromkeys(summary.loc[few, "dataset"]))
    return names and f"{names}: the covariance comes from no more images than there are pixels, so R means little."


def _label(groups: Sequence[Group]) -> str:
    one = groups[0]
    beta = f"beta_R = {_numbers(group.beta_r for group in groups)}" if one.role == "vicious" else ""
    words = [one.outputs, _otherwise(one), beta, evasion(one.evades, one.evasion)]
    return f"{title(one.task)}, {one.role} ({', '.join(filter(None, words))})"


def _otherwise(group: Group) -> str:
    """That a vicious model was trained for other outputs than the attacked ones."""
    trained = str(group.rows["trained_for"].iloc[0]) if len(group.rows) and "trained_for" in group.rows else ""
    return trained_otherwise(group.outputs, trained)


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
