"""What tables and figures share: reading the summaries, refusing mixed ones, and means over seeds that keep failures.

A *group* is all seeds of one model and attack: the post-hoc attack on honest models, or the joint attack of vicious
ones, at one kind of output and one weight of the reconstruction loss. Other attacks in a summary are left alone.
"""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pandas as pd

from vicious.data.catalog import CATALOG
from vicious.errors import DataError, MixedResultsError

Role = Literal["honest", "vicious"]
ATTACK_OF: dict[Role, str] = {"honest": "posthoc", "vicious": "joint"}
"""The attack that the tables and figures report for each role."""

_KEY = ("dataset", "role", "attack", "outputs", "beta_r", "seed")
_MEASURES = (
    *("accuracy", "mse", "psnr", "ssim", "risk", "risk95"),
    *("risk_class_mean", "risk95_class_mean", "psnr_class_mean"),
)
_SUMMARY_TEXT = ("dataset", "role", "attack", "outputs", "status", "reason", "source")
_SUMMARY_NUMBERS = ("beta_r", "seed", "n", *_MEASURES)
_DETECTION_KEY = ("dataset", "role", "outputs", "beta_r", "seed", "detector", "n_user", "draw")
_DETECTION_TEXT = ("dataset", "role", "outputs", "detector", "status")
_DETECTION_NUMBERS = ("beta_r", "seed", "n_user", "draw", "score")


@dataclass(frozen=True)
class Cell:
    """One measure over the seeds of one group.

    Attributes:
        mean: over the seeds that succeeded; NaN without any.
        sd: standard deviation (ddof 1) over the same seeds; NaN for fewer than two.
        ok: seeds that succeeded.
        total: seeds that were planned; 0 where nothing was run.
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

    ``beta_r`` is 0 for honest models, NaN for a vicious group that was not run. ``planned`` is the number of seeds.
    """

    dataset: str
    role: Role
    outputs: str
    beta_r: float
    rows: pd.DataFrame
    planned: int

    def cell(self, column: str, scale: float = 1.0) -> Cell:
        """The column, times ``scale``, over the seeds. A seed whose value is missing counts as failed."""
        return cell(self.rows.loc[self.rows["status"] == "ok", column].to_numpy(dtype=float) * scale, self.planned)

    @property
    def images(self) -> int | None:
        """Number of test images, None where no seed succeeded."""
        numbers = self.rows.loc[self.rows["status"] == "ok", "n"].dropna()
        return int(numbers.iloc[0]) if len(numbers) else None

    @property
    def label(self) -> str:
        """A short name, such as ``CIFAR-10, vicious (logits, beta_R = 3)``."""
        beta = f", beta_R = {self.beta_r:g}" if self.role == "vicious" else ""
        return f"{title(self.dataset)}, {self.role} ({self.outputs}{beta})"

    def failures(self) -> list[str]:
        """A line for each reason why seeds have no result."""
        failed = self.rows.loc[self.rows["status"] != "ok"]
        seeds: dict[str, list[str]] = {}
        for seed, reason in zip(failed["seed"], failed["reason"], strict=True):
            seeds.setdefault(_one_line(reason) or "no reason recorded", []).append(f"{seed:g}")
        lines = [f"{self.label}, seed {', '.join(which)}: {reason}" for reason, which in seeds.items()]
        missing = self.planned - len(self.rows)
        return [*lines, f"{self.label}: no result for {missing} of {self.planned} seeds"] if missing else lines


@dataclass(frozen=True)
class Pair:
    """The honest and the vicious group that are compared: one row of table 1, one arrow of figure 2."""

    honest: Group
    vicious: Group

    @property
    def dataset(self) -> str:
        """Key of the dataset."""
        return self.honest.dataset

    @property
    def outputs(self) -> str:
        """What the attacker reads: ``logits`` or ``softmax``."""
        return self.honest.outputs


def cell(values: np.ndarray, planned: int) -> Cell:
    """Mean and standard deviation of ``values`` (one per seed), NaN values counted as failed."""
    good = values[~np.isnan(values)]
    mean = float(np.mean(good)) if len(good) else math.nan
    spread = len(good) > 1 and bool(np.isfinite(good).all())
    return Cell(mean, float(np.std(good, ddof=1)) if spread else math.nan, len(good), max(planned, len(values)))


def read_summary(path: Path) -> pd.DataFrame:
    """Read and check a summary.csv.

    Raises:
        DataError: it is missing, empty, not a table, or lacks a column.
        MixedResultsError: see :func:`check_summary`.
    """
    frame = _read(path, _SUMMARY_TEXT, _SUMMARY_NUMBERS)
    check_summary(frame, str(path))
    return frame


def read_detection(path: Path) -> pd.DataFrame:
    """Read and check a detection.csv; raises as :func:`read_summary`."""
    frame = _read(path, _DETECTION_TEXT, _DETECTION_NUMBERS)
    check_detection(frame, str(path))
    return frame


def check_summary(frame: pd.DataFrame, where: str = "summary") -> None:
    """Refuse a summary that mixes configurations.

    Raises:
        DataError: a column is missing, or a role or status is unknown.
        MixedResultsError: a model appears twice, or one dataset has several sources or numbers of test images.
    """
    _require(frame, (*_SUMMARY_TEXT, *_SUMMARY_NUMBERS), where)
    _known_values(frame, where)
    _unique(frame, _KEY, where)
    for column, rows in (("source", frame), ("n", frame.loc[frame["status"] == "ok"])):
        for dataset, values in rows.groupby("dataset", sort=True)[column]:
            found = sorted({str(value) for value in values.dropna()})
            if len(found) > 1:
                raise MixedResultsError(
                    f"{where}: dataset {dataset} mixes results with {column} = {', '.join(found)}: "
                    "keep one configuration per results folder and run the summary again"
                )


def check_detection(frame: pd.DataFrame, where: str = "detection scores") -> None:
    """Refuse detection scores that lack a column or hold one score twice; raises as :func:`check_summary`."""
    _require(frame, (*_DETECTION_TEXT, *_DETECTION_NUMBERS), where)
    _known_values(frame, where)
    _unique(frame, _DETECTION_KEY, where)


def groups(summary: pd.DataFrame, expected_seeds: int | None = None) -> list[Group]:
    """The groups of a checked summary, in catalogue order, then by outputs, role and beta_R.

    ``expected_seeds`` is the number planned for each group; without it, the seeds that have a row.

    Raises:
        DataError: there is no post-hoc attack on an honest model and no joint attack of a vicious one.
        MixedResultsError: one seed of a group appears twice.
    """
    found: list[Group] = []
    for role, attack in ATTACK_OF.items():
        chosen = summary.loc[(summary["role"] == role) & (summary["attack"] == attack)]
        keys = ["dataset", "outputs"] if role == "honest" else ["dataset", "outputs", "beta_r"]
        for key, rows in chosen.groupby(keys, sort=True, dropna=False):
            _unique(rows, ("dataset", "role", "attack", "outputs", "seed"), "summary")
            dataset, outputs, *beta = key
            planned = max(expected_seeds or 0, len(rows))
            ordered = rows.sort_values("seed")
            found.append(
                Group(str(dataset), role, str(outputs), cast(float, beta[0]) if beta else 0.0, ordered, planned)
            )
    if not found:
        raise DataError(
            "the summary holds neither the attack posthoc on honest models nor the attack joint of vicious ones: "
            "run the steps that assess them, then the summary again"
        )
    return sorted(found, key=lambda group: (*order(group.dataset), group.outputs, group.role, group.beta_r))


def pairs(found: Sequence[Group]) -> list[Pair]:
    """Each vicious group beside the honest one of its dataset and outputs; a side that was not run is empty."""
    result: list[Pair] = []
    for dataset, outputs in dict.fromkeys((group.dataset, group.outputs) for group in found):
        here = [group for group in found if (group.dataset, group.outputs) == (dataset, outputs)]
        honest = [group for group in here if group.role == "honest"]
        vicious = [group for group in here if group.role == "vicious"]
        nothing = here[0].rows.iloc[:0]
        one = honest[0] if honest else Group(dataset, "honest", outputs, 0.0, nothing, 0)
        others = vicious or [Group(dataset, "vicious", outputs, math.nan, nothing, 0)]
        result += [Pair(one, other) for other in others]
    return result


def failures(found: Iterable[Group]) -> list[str]:
    """A line for each group and reason why seeds have no result."""
    return [line for group in found for line in group.failures()]


def order(dataset: str) -> tuple[int, str]:
    """Sorting key: the catalogue's order, then datasets that it does not know by name."""
    names = list(CATALOG)
    return (names.index(dataset) if dataset in CATALOG else len(names), dataset)


def title(dataset: str) -> str:
    """The catalogue's title of a dataset, or its key where the catalogue does not know it."""
    return CATALOG[dataset].title if dataset in CATALOG else dataset


def sources(summary: pd.DataFrame) -> dict[str, str]:
    """The data source of each dataset of a checked summary, in catalogue order."""
    pairs_found = {str(row.dataset): str(row.source) for row in summary.itertuples()}
    return {dataset: pairs_found[dataset] for dataset in sorted(pairs_found, key=order)}


def marked_title(dataset: str, source: str) -> str:
    """The title, followed by ``(synthetic stand-in)`` where the data are not the official ones."""
    return f"{title(dataset)} (synthetic stand-in)" if source == "synthetic" else title(dataset)


def all_synthetic(source: dict[str, str]) -> bool:
    """Whether every dataset is a synthetic stand-in, so that saying it once is enough."""
    return set(source.values()) == {"synthetic"}


def settings(summary: pd.DataFrame, expected_seeds: int | None = None) -> str:
    """Sentences for a caption: data source, test images, seeds, outputs and beta_R actually used."""
    found = groups(summary, expected_seeds)
    source = sources(summary)
    sentences = [
        _listed("Data", ((dataset, _SOURCE_WORDS.get(kind, kind)) for dataset, kind in source.items())),
        _listed("Test images", ((group.dataset, f"{group.images:,}") for group in found if group.images is not None)),
        _listed("Seeds per model", ((group.dataset, str(group.planned)) for group in found)),
        f"Outputs: {', '.join(dict.fromkeys(group.outputs for group in found))}.",
    ]
    several = [title(dataset) for dataset in source if dataset in CATALOG and CATALOG[dataset].multilabel]
    if several:
        sentences.append(f"Accuracy on {', '.join(several)}: mean over attributes.")
    betas = sorted({group.beta_r for group in found if group.role == "vicious"})
    if betas:
        sentences.append(f"Weight of the reconstruction loss in vicious training: beta_R = {_numbers(betas)}.")
    return " ".join(sentence for sentence in sentences if sentence)


_SOURCE_WORDS = {"official": "official", "synthetic": "synthetic stand-in"}


def _listed(name: str, items: Iterable[tuple[str, str]]) -> str:
    """``name: value.`` where all datasets agree, else ``name: value (A, B); other (C).``"""
    holders: dict[str, dict[str, None]] = {}
    for dataset, value in items:
        holders.setdefault(value, {})[title(dataset)] = None
    if len(holders) < 2:
        return "".join(f"{name}: {value}." for value in holders)
    return f"{name}: " + "; ".join(f"{value} ({', '.join(names)})" for value, names in holders.items()) + "."


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _one_line(text: object) -> str:
    # Semicolons separate the failures of one row of the table.
    return " ".join(str(text).replace(";", ",").split()).rstrip(".")


def _read(path: Path, text: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame:
    try:
        content = Path(path).read_text(encoding="utf-8")
        # Text stays text: a seed's reason "nan" or a dataset called "NA" is no missing value.
        frame = pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise DataError(f"cannot read {path} as a CSV table ({error}): run the step that writes it again") from error
    _require(frame, (*text, *numbers), str(path))
    for column in numbers:
        frame[column] = _to_numbers(frame[column], f"{path}: column {column}")
    return frame


def _to_numbers(values: "pd.Series[str]", where: str) -> "pd.Series[float]":
    try:
        return values.replace("", "nan").astype(float)
    except ValueError as error:
        raise DataError(f"{where} holds something other than numbers ({error}): run the step that writes it") from error


def _require(frame: pd.DataFrame, columns: Iterable[str], where: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(
            f"{where}: column {', '.join(missing)} is missing; found {', '.join(map(str, frame.columns)) or 'none'}: "
            "run the step that writes it again"
        )
    if frame.empty:
        raise DataError(f"{where}: no rows: run the step that writes it again")


def _known_values(frame: pd.DataFrame, where: str) -> None:
    for column, known in (("role", tuple(ATTACK_OF)), ("status", ("ok", "failed"))):
        odd = sorted({str(value) for value in frame[column]} - set(known))
        if odd:
            raise DataError(f"{where}: column {column} holds {', '.join(odd)}; expected {' or '.join(known)}")


def _unique(frame: pd.DataFrame, key: tuple[str, ...], where: str) -> None:
    repeated = frame.loc[frame.duplicated(list(key), keep="first"), list(key)]
    if len(repeated):
        first = ", ".join(f"{name} {value}" for name, value in zip(key, repeated.iloc[0], strict=True))
        raise MixedResultsError(
            f"{where}: several results for {first}: keep one configuration per results folder and run the summary again"
        )
