"""What tables and figures share: reading the summaries, refusing mixed ones, and means over seeds that keep failures.

A *group* is all seeds of one model and attack on one task: the post-hoc attack on honest models, or the joint attack of
vicious ones and of autoencoders, at one kind of output and one weight of the reconstruction loss. Other attacks in a
summary, unless asked for, and those on models of servers that evade detectors, are left alone.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from vicious.data.catalog import CATALOG
from vicious.data.tasks import parse_task
from vicious.models.evaded import evasion, trained_otherwise
from vicious.study.grid import Role, task_outputs, task_title
from vicious.system.errors import DataError, MixedResultsError

ATTACK_OF: dict[Role, str] = {"honest": "posthoc", "vicious": "joint", "autoencoder": "joint"}
"""The attack that the tables and figures report for each role, in their order."""
STAND_IN = " (synthetic stand-in)"
"""What follows the title of data that are not the official ones."""
CLASS_COUNTS = (
    "All class counts of a dataset use equally many training images, as many as the smallest count has, but not the same "
    "ones: how varied they are changes with the number of classes. Covariance and mean image are those of the whole "
    "dataset."
)
"""What a reader must know to compare models of some of the classes."""
PUBLISHED = "truncated 1.2e-07"
"""The published R, by its estimator's name in results: what the pseudo-inverse of a covariance in float32 keeps."""

_ESTIMATORS = {"ledoit_wolf": "Ledoit-Wolf"}
"""Estimators whose name in results is none for readers."""
_KEY = ("task", "role", "attack", "outputs", "trained_for", "beta_r", "evades", "evasion", "seed")
_MEASURES = (
    *("accuracy", "mse", "psnr", "ssim", "risk", "risk95"),
    *("risk_class_mean", "risk95_class_mean", "psnr_class_mean"),
)
_OF_LABELS = ("accuracy", "risk_class_mean", "risk95_class_mean", "psnr_class_mean")
"""Measures of the predicted labels, which an autoencoder was never asked for."""
_SUMMARY_TEXT = (
    *("dataset", "task", "role", "attack", "outputs", "trained_for", "evades"),
    *("status", "reason", "source", "estimator"),
)
_SUMMARY_NUMBERS = ("k", "beta_r", "evasion", "seed", "n", *_MEASURES, "pixels", "covariance_images")
_DETECTION_KEY = (
    "dataset",
    "role",
    "outputs",
    "beta_r",
    "recipe",
    "evades",
    "evasion",
    "hidden",
    "seed",
    "detector",
    "n_user",
    "draw",
)
_DETECTION_TEXT = ("dataset", "role", "outputs", "recipe", "evades", "hidden", "detector", "status")
_DETECTION_NUMBERS = ("beta_r", "evasion", "seed", "n_user", "draw", "score")
_COMPARED = ("accuracy", "psnr", "ssim", "risk", "risk95", "identity")
_COMPARISON_KEY = ("task", "role", "outputs", "beta_r", "evades", "evasion", "measure")
_COMPARISON_TEXT = ("dataset", "task", "role", "outputs", "evades", "measure")
_COMPARISON_NUMBERS = ("beta_r", "evasion", "difference", "low", "high", "p", "n_images", "seeds")


@dataclass(frozen=True)
class Cell:
    """One measure over the seeds of one group.

    Attributes:
        mean: over the seeds that succeeded; NaN without any.
        sd: standard deviation (ddof 1) over the same seeds; NaN for fewer than two.
        ok: seeds that succeeded.
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


@dataclass(frozen=True)
class Group:
    """All seeds of one model and attack; ``rows`` is a slice of the summary, empty where nothing was run.

    ``beta_r`` is 0 for honest models, NaN for a vicious group that was not run. ``evasion`` is the weight of a vicious
    server's penalty against the detector ``evades``; 0 and "" in :func:`groups`.
    """

    task: str
    dataset: str
    role: Role
    outputs: str
    beta_r: float
    rows: pd.DataFrame
    evades: str = ""
    evasion: float = 0.0

    @property
    def planned(self) -> int:
        """Number of seeds, those that failed included."""
        return len(self.rows)

    @property
    def k(self) -> int | None:
        """Number of outputs of the target models, None where nothing was run."""
        return int(self.rows["k"].iloc[0]) if len(self.rows) else None

    def applies(self, column: str) -> bool:
        """Whether the column means anything for this role: the labels of an autoencoder do not."""
        return self.role != "autoencoder" or column not in _OF_LABELS

    def cell(self, column: str, scale: float = 1.0) -> Cell:
        """The column, times ``scale``, over the seeds. A seed whose value is missing counts as failed.

        A column that does not apply gives a cell of no seeds, none of them failed.
        """
        if not self.applies(column):
            return Cell(math.nan, math.nan, 0, 0)
        return cell(self.rows.loc[self.rows["status"] == "ok", column].to_numpy(dtype=float) * scale, self.planned)

    @property
    def images(self) -> int | None:
        """Number of test images, None where no seed succeeded."""
        numbers = self.rows.loc[self.rows["status"] == "ok", "n"].dropna()
        return int(numbers.iloc[0]) if len(numbers) else None

    @property
    def label(self) -> str:
        """A short name, such as ``CIFAR-10, vicious (logits, beta_R = 3)``."""
        return _label([self])

    def failures(self) -> list[str]:
        """A line for each reason why seeds have no result."""
        failed = self.rows.loc[self.rows["status"] != "ok"]
        seeds: dict[str, list[str]] = {}
        for seed, reason in zip(failed["seed"], failed["reason"], strict=True):
            seeds.setdefault(one_line(reason) or "no reason recorded", []).append(f"{seed:g}")
        return [f"{self.label}, seed {', '.join(which)}: {reason}" for reason, which in seeds.items()]


def cell(values: np.ndarray, planned: int) -> Cell:
    """Mean and standard deviation of ``values`` (one per seed), NaN values counted as failed."""
    good = values[~np.isnan(values)]
    mean = float(np.mean(good)) if len(good) else math.nan
    spread = len(good) > 1 and bool(np.isfinite(good).all())
    return Cell(mean, float(np.std(good, ddof=1)) if spread else math.nan, len(good), max(planned, len(values)))


def read_summary(path: Path, more: Sequence[str] = ()) -> pd.DataFrame:
    """Read and check an experiment's summary.

    Args:
        path: of the CSV.
        more: columns of numbers that it must have beside those that every table needs.

    Raises:
        DataError: it is missing, empty, not a table, or lacks a column.
        MixedResultsError: see :func:`check_summary`.
    """
    frame = read_table(path, _SUMMARY_TEXT, (*_SUMMARY_NUMBERS, *more))
    check_summary(frame, str(path))
    return frame


def read_comparisons(path: Path) -> pd.DataFrame:
    """Read and check an experiment's comparisons with the post-hoc attack; raises as :func:`read_summary`."""
    frame = read_table(path, _COMPARISON_TEXT, _COMPARISON_NUMBERS)
    check_comparisons(frame, str(path))
    return frame


def read_detection(path: Path) -> pd.DataFrame:
    """Read and check a detection.csv; raises as :func:`read_summary`."""
    frame = read_table(path, _DETECTION_TEXT, _DETECTION_NUMBERS)
    check_detection(frame, str(path))
    return frame


def check_summary(frame: pd.DataFrame, where: str = "summary") -> None:
    """Refuse a summary that mixes configurations.

    Raises:
        DataError: a column is missing, or a role or status is unknown.
        MixedResultsError: a model appears twice; a task has several datasets, numbers of outputs or of test images; or a
            dataset has several sources.
    """
    require(frame, (*_SUMMARY_TEXT, *_SUMMARY_NUMBERS), where)
    known_values(frame, where, role=tuple(ATTACK_OF), status=("ok", "failed"))
    unique(frame, _KEY, where)
    ok = frame.loc[frame["status"] == "ok"]
    for owner, column, rows in (
        ("task", "dataset", frame),
        ("task", "k", frame),
        ("task", "n", ok),
        ("dataset", "source", frame),
    ):
        for name, values in rows.groupby(owner, sort=True)[column]:
            found = sorted({str(value) for value in values.dropna()})
            if len(found) > 1:
                raise MixedResultsError(
                    f"{where}: {owner} {name} mixes results with {column} = {', '.join(found)}: "
                    "keep one configuration per results folder and run the summary again"
                )


def check_comparisons(frame: pd.DataFrame, where: str = "comparisons") -> None:
    """Refuse comparisons that lack a column or hold one twice; raises as :func:`check_summary`."""
    require(frame, (*_COMPARISON_TEXT, *_COMPARISON_NUMBERS), where)
    known_values(frame, where, role=("vicious", "autoencoder"), measure=_COMPARED)
    unique(frame, _COMPARISON_KEY, where)


def check_detection(frame: pd.DataFrame, where: str = "detection scores") -> None:
    """Refuse detection scores that lack a column or hold one score twice; raises as :func:`check_summary`."""
    require(frame, (*_DETECTION_TEXT, *_DETECTION_NUMBERS), where)
    known_values(frame, where, role=tuple(ATTACK_OF), status=("ok", "failed"))
    unique(frame, _DETECTION_KEY, where)


def groups(summary: pd.DataFrame, attacks: Mapping[Role, str] = ATTACK_OF) -> list[Group]:
    """The groups of a checked summary: by task in the catalogue's order, then by outputs, role and beta_R.

    Args:
        summary: its rows.
        attacks: the roles wanted, in their order, and the attack on each.

    Raises:
        DataError: there is none of these attacks.
        MixedResultsError: one seed of a group appears twice.
    """
    found: list[Group] = []
    for role, attack in attacks.items():
        chosen = summary.loc[(summary["role"] == role) & (summary["attack"] == attack) & (summary["evasion"] == 0)]
        keys = ["task", "dataset", "outputs", *(["beta_r"] if role == "vicious" else [])]
        for key, rows in chosen.groupby(keys, sort=True, dropna=False):
            unique(rows, ("task", "role", "attack", "outputs", "seed"), "summary")
            task, dataset, outputs, *beta = key
            weight = cast(float, beta[0]) if beta else float(rows["beta_r"].iloc[0])
            found.append(Group(str(task), str(dataset), role, str(outputs), weight, rows.sort_values("seed")))
    if not found:
        wanted = " nor ".join(f"the attack {attack} on {role} models" for role, attack in attacks.items())
        raise DataError(f"the summary holds neither {wanted}: run the steps that assess them, then the summary again")
    roles = list(attacks)
    return sorted(found, key=lambda group: (*order(group.task), group.outputs, roles.index(group.role), group.beta_r))


def failures(found: Iterable[Group]) -> list[str]:
    """A line for each group and reason why seeds have no result."""
    return [line for group in found for line in group.failures()]


def failed_seeds(found: Iterable[Group]) -> list[str]:
    """The groups with failed seeds, and how many: ``MNIST, vicious (logits, beta_R = 1, 3): 1 of 3 seeds``.

    Groups that differ in beta_R only, and failed alike, share a line.
    """
    alike: dict[tuple[str, Role, str, str, str, float, int, int], list[Group]] = {}
    for group in found:
        risk = group.cell("risk")
        if risk.failed:
            model = (group.task, group.role, group.outputs, _otherwise(group), group.evades, group.evasion)
            alike.setdefault((*model, risk.failed, risk.total), []).append(group)
    return [f"{_label(same)}: {failed} of {total} seeds" for (*_, failed, total), same in alike.items()]


def spread(found: Iterable[Group]) -> str:
    """What the points of a figure are: ``mean ± s.d. over n = 3 seeds``, ``n = 1 seed``, ``no seed succeeded``."""
    counts = sorted({group.cell("risk").ok for group in found} - {0})
    if not counts:
        return "no seed succeeded"
    if counts == [1]:
        return "n = 1 seed"
    span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"mean ± s.d. over n = {span} seeds"


def order(task: str) -> tuple[int, int, str]:
    """Sorting key: the catalogue's order, then the number of outputs, then tasks that it does not know by name."""
    try:
        parsed = parse_task(task)
        return list(CATALOG).index(parsed.dataset), task_outputs(parsed), task
    except (ValueError, KeyError):
        return len(CATALOG), 0, task


def title(task: str) -> str:
    """The title of a task (or a dataset), or its name where it is unknown."""
    return task_title(task)


def sources(summary: pd.DataFrame) -> dict[str, str]:
    """The data source of each task of a checked summary, in order."""
    found = {str(row.task): str(row.source) for row in summary.itertuples()}
    return {task: found[task] for task in sorted(found, key=order)}


def marked_title(task: str, source: str) -> str:
    """The title, followed by ``(synthetic stand-in)`` where the data are not the official ones."""
    return title(task) + (STAND_IN if source == "synthetic" else "")


def all_synthetic(source: dict[str, str]) -> bool:
    """Whether every task has a synthetic stand-in, so that saying it once is enough."""
    return set(source.values()) == {"synthetic"}


def settings(
    summary: pd.DataFrame,
    *,
    accuracy: bool = False,
    risk: bool = False,
    all_seeds: pd.DataFrame | None = None,
    found: Sequence[Group] | None = None,
) -> str:
    """Sentences for a caption: data source, test images, seeds, outputs and beta_R actually used.

    Args:
        summary: the rows shown.
        accuracy: accuracies are shown, so those of attributes are explained.
        risk: R is shown, so covariances of too few images are named.
        all_seeds: where one seed of each model is shown, the rows of all, to tell which it is.
        found: the groups shown; by default those of :func:`groups`.
    """
    found = groups(summary) if found is None else found
    datasets = list(dict.fromkeys(group.dataset for group in found))
    source = {str(row.dataset): source_words(str(row.source)) for row in summary.itertuples()}
    sentences = [
        listed("Data", ((dataset, source[dataset]) for dataset in datasets)),
        listed("Test images", ((group.task, f"{group.images:,}") for group in found if group.images is not None)),
        _seeds(found, all_seeds),
        f"Outputs: {', '.join(dict.fromkeys(group.outputs for group in found))}.",
    ]
    several = attribute_datasets(datasets)
    if accuracy and several:
        sentences.append(f"Accuracy on {', '.join(several)}: mean over attributes.")
    betas = sorted({group.beta_r for group in found if group.role == "vicious"})
    if betas:
        sentences.append(f"Weight of the reconstruction loss in vicious training: beta_R = {_numbers(betas)}.")
    sentences.append(_few_images(summary) if risk else "")
    return " ".join(sentence for sentence in sentences if sentence)


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
    """The titles of those datasets whose labels are attributes."""
    return [title(name) for name in datasets if name in CATALOG and CATALOG[name].multilabel]


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


def read_table(path: Path, text: Sequence[str], numbers: Sequence[str], *, empty: bool = False) -> pd.DataFrame:
    """Read a CSV strictly: text stays text, and an empty number is NaN.

    Args:
        path: of the CSV.
        text, numbers: columns that it must have.
        empty: whether it may have no rows.

    Raises:
        DataError: it is missing, not a table, or empty, lacks a column, or holds text where a number should be.
    """
    try:
        content = Path(path).read_text(encoding="utf-8")
        # A seed's reason "nan" or a dataset called "NA" is no missing value.
        frame = pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise DataError(f"cannot read {path} as a CSV table ({error}): run the step that writes it again") from error
    require(frame, (*text, *numbers), str(path), empty=empty)
    for column in numbers:
        frame[column] = _to_numbers(frame[column], f"{path}: column {column}")
    return frame


def require(frame: pd.DataFrame, columns: Iterable[str], where: str, *, empty: bool = False) -> None:
    """Refuse a table that lacks a column or, unless it may be ``empty``, has no rows.

    Raises:
        DataError: it does; the message begins with ``where``.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(
            f"{where}: column {', '.join(missing)} is missing; found {', '.join(map(str, frame.columns)) or 'none'}: "
            "run the step that writes it again"
        )
    if frame.empty and not empty:
        raise DataError(f"{where}: no rows: run the step that writes it again")


def known_values(frame: pd.DataFrame, where: str, **known: Sequence[str]) -> None:
    """Refuse a column that holds anything but the values given for it, as a DataError."""
    for column, values in known.items():
        odd = sorted({str(value) for value in frame[column]} - set(values))
        if odd:
            raise DataError(f"{where}: column {column} holds {', '.join(odd)}; expected {' or '.join(values)}")


def unique(frame: pd.DataFrame, key: Sequence[str], where: str) -> None:
    """Refuse two rows with the same values of the columns ``key``, as a MixedResultsError."""
    repeated = frame.loc[frame.duplicated(list(key), keep="first"), list(key)]
    if len(repeated):
        first = ", ".join(f"{name} {value}" for name, value in zip(key, repeated.iloc[0], strict=True))
        raise MixedResultsError(
            f"{where}: several results for {first}: keep one configuration per results folder and run the summary again"
        )


def _seeds(found: Sequence[Group], all_seeds: pd.DataFrame | None) -> str:
    """How many seeds there are, or which one of ``all_seeds`` is shown."""
    if all_seeds is None:
        return listed("Seeds per model", ((group.task, str(group.planned)) for group in found))
    planned = {group.label: group.planned for group in groups(all_seeds)}
    places = {label: f"the first of {count}" if count > 1 else "the only one" for label, count in planned.items()}
    shown = ((group.task, f"{group.rows['seed'].iloc[0]:g}, {places[group.label]}") for group in found)
    return listed("Seed shown", shown)


def _few_images(summary: pd.DataFrame) -> str:
    """A warning of covariances that no more images than pixels stand behind; "" without any."""
    few = summary["covariance_images"].astype(float) <= summary["pixels"].astype(float)
    names = ", ".join(title(name) for name in dict.fromkeys(summary.loc[few, "dataset"]))
    return f"{names}: no more images than pixels stand behind the covariance, so R means little there." if names else ""


def _label(groups: Sequence[Group]) -> str:
    """A name for groups that differ in beta_R only."""
    one = groups[0]
    beta = f"beta_R = {_numbers(group.beta_r for group in groups)}" if one.role == "vicious" else ""
    told = [one.outputs, _otherwise(one), beta, evasion(one.evades, one.evasion)]
    return f"{title(one.task)}, {one.role} ({', '.join(filter(None, told))})"


def _otherwise(group: Group) -> str:
    """That a vicious model was trained for other outputs than the attacked ones."""
    trained = str(group.rows["trained_for"].iloc[0]) if len(group.rows) and "trained_for" in group.rows else ""
    return trained_otherwise(group.outputs, trained)


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _to_numbers(values: "pd.Series[str]", where: str) -> "pd.Series[float]":
    try:
        return values.replace("", "nan").astype(float)
    except ValueError as error:
        raise DataError(f"{where} holds something other than numbers ({error}): run the step that writes it") from error
