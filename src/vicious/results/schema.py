"""The schema of results: every key and column, its type, unit and range, once; checked when read.

A value's type is a pydantic type, so that text from a CSV, numbers from a Parquet and a JSON record are checked alike.
A column of text is never missing; a number may be, where a training or a measure failed. Frames hold text as text and
numbers as float64. pandas is imported late: who needs names alone, such as a plan, does not wait for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError, model_validator

from vicious.metrics import measures
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import read_bounded, write_csv
from vicious.system.settings import Count, NotNegative, Outputs, Seed, Share, shortened

if TYPE_CHECKING:
    import pandas as pd

AGAIN = "delete it and run `snakemake` again"
"""What to do about a damaged file of a single model."""
_WRITE_AGAIN = "run the step that writes it again"
_ONE_CONFIGURATION = "keep one configuration per results folder and run the summary again"
MOST_BYTES = 256 * 1024 * 1024
"""Of a CSV; the largest summaries of the study have some MB."""
_ROUNDING = 1e-6
"""How far a mean in single precision may lie outside of its range."""


@dataclass(frozen=True)
class Column:
    """One column or key.

    Attributes:
        type: of one value, for pydantic.
        expected: its values, in words.
        unit: of a number; "" for none.
    """

    type: Any
    expected: str
    unit: str = ""

    @property
    def text(self) -> bool:
        """Whether it holds text, which is never missing; else numbers."""
        return self.type is str or get_origin(self.type) is Literal

    @cached_property
    def values(self) -> TypeAdapter[Any]:
        """Checks a list of values."""
        return TypeAdapter(Annotated[list[self.type], FailFast()])  # type: ignore[arg-type,name-defined]


def _text(*values: str) -> Column:
    """Any text, or one of some values."""
    return Column(Literal[values] if values else str, " or ".join(values) or "text")


def _number(low: float = -inf, high: float = inf, unit: str = "") -> Column:
    bounds = Field(ge=low - _ROUNDING, le=high + _ROUNDING * max(1.0, high))
    return Column(Annotated[float, bounds], f"a number from {low:g} to {high:g}", unit)


_COUNT, _SHARE, _RISK = Column(Seed, "a whole number from 0"), _number(0.0, 1.0), _number(0.0)
_RANK, _PSNR = _number(1.0), _number(0.0, 100.0, "dB")


_BESIDE = {
    "accuracy": _SHARE,  # share of right answers, of what the user sends; of attributes the mean over them
    "top1": _SHARE,  # identified: share of originals that are the nearest of all test images to their reconstruction
    "top10": _SHARE,  # share of originals that are among the ten nearest
    "top1_same_answer": _SHARE,  # top1 among the test images with the same predicted class, or attributes
    "top10_same_answer": _SHARE,  # top10 among these
    "median_rank": _RANK,  # median over test images of original_rank
    "median_rank_same_answer": _RANK,  # median over test images of original_rank_same_answer
    "psnr_p99": _PSNR,  # 99th percentile over test images of PSNR
    "psnr_worst1": _PSNR,  # mean PSNR of the 1% of test images that are reconstructed best: the worst for the user
}


def _measure(name: str) -> Column:
    """That of one of :mod:`vicious.metrics.measures`, or of what is measured beside them."""
    if name not in measures.names():
        return _BESIDE.get(name, _RISK)
    file = measures.facts(name)
    return _number(file.LOW, file.HIGH, file.UNIT)


Role = Literal["honest", "vicious", "autoencoder"]
KEY = (
    *("dataset", "task", "role", "attack", "means", "outputs", "trained_for", "beta_r"),
    *("recipe", "evades", "evasion", "hidden", "seed"),
)
"""What tells the results of a study apart, in order: model, attack, seed. A table has some of them."""
ESTIMATOR = ("estimator", "kind", "parameter")
"""What tells estimators of the covariance's inverse apart."""
MEASURES = ("accuracy", "psnr", "ssim", "risk", "risk95", "top1")
"""Measures of an image that are compared, and given by class."""
COMPARED = (*MEASURES, "identity")
"""Columns of single images that are compared; ``identity`` is R without whitening."""
EFFECTS = {"psnr": 0.2}
"""Differences that a study should be able to show, in a measure's units."""
IDENTIFIED = ("top1", "top10", "top1_same_answer", "top10_same_answer")
"""Whether an original is the nearest, or among the ten nearest, to its reconstruction, of all test images or of those
with the same answer (:mod:`vicious.metrics.identification`). Each has a level of chance, ``_chance``."""
PLACES = ("original_rank", "original_rank_same_answer", "same_answer")
"""The place of an original among these candidates; and how many have the same answer."""
PER_IMAGE = ("accuracy", *measures.names(), "risk", "risk95", *IDENTIFIED)
"""Measures of an attack on every test image, whose means are in summaries."""
MEDIANS = ("median_rank", "median_rank_same_answer")
"""Medians over test images of the places; each has its share of the candidates, ``_share``."""
TAILS = ("psnr_p99", "psnr_worst1")
"""PSNR of the test images that are given away most."""
INTERVALS = ("psnr", "ssim", "risk", "risk95", *IDENTIFIED, *MEDIANS, *TAILS)
"""Means and other statistics over test images that have an interval."""
IN_SUMMARY = (
    *PER_IMAGE,
    *(f"{name}_chance" for name in IDENTIFIED),
    *(f"{name}{end}" for name in MEDIANS for end in ("", "_share")),
    *TAILS,
)
"""What a summary has of the test images of an attack."""
BASELINE = ("psnr_class_mean", "risk_class_mean", "risk95_class_mean", "top1_class_mean")
"""The same of the mean image of the predicted class: what the label alone gives away."""
_OF_ANSWERS = tuple(name for name in (*IN_SUMMARY, *PLACES) if "same_answer" in name)
OF_LABELS = ("accuracy", "calibration_error", *_OF_ANSWERS, *BASELINE)
"""What an autoencoder, which was never asked for labels, does not have."""


def applies(column: str, role: str) -> bool:
    """Whether a measure means anything for a role: the labels of an autoencoder do not."""
    return role != "autoencoder" or column not in OF_LABELS


ATTACK_OF: dict[Role, str] = {"honest": "posthoc", "vicious": "joint", "autoencoder": "joint"}
"""The attack of the original study, by the target model's role, in the order of tables."""
ESTIMATOR_KINDS = ("share", "truncated", "ridge", "ledoit_wolf", "identity")
"""Kinds of estimators, in the order of figures."""
BEST = "best"
"""The attack, out of all on the same outputs of one target model, that reads the most from validation images: chosen
for each measure alone (:mod:`vicious.results.best`)."""
CHOOSING = {**{name: measures.facts(name).CLOSER for name in measures.names()}, "risk": 1.0, "risk95": 1.0, "top1": 1.0}
"""Measures that the best attack is chosen by, each for itself, and the sign that makes larger the closer."""


def follows(column: str) -> str:
    """The measure by whose choice the best attack has a column of single images, or a key of a record."""
    if column == "n_perfect":
        return "mse"
    if column.startswith(("top10", "median_rank", "original_rank")):
        return "top1"
    owner = [name for name in CHOOSING if column == name or column.startswith(f"{name}_")]
    return owner[0] if owner else "risk"  # of the other estimators, too; the rest is the same for all attacks


def reported(attacks: Iterable[str]) -> dict[Role, str]:
    """The attack that is compared and reported, by role, where results hold these: the best, or the original's own."""
    return dict.fromkeys(ATTACK_OF, BEST) if BEST in attacks else dict(ATTACK_OF)


PSNR_ITSELF = "psnr"
"""The kind and name of PSNR in place of R, which has agreements alone."""

COLUMNS = {
    "dataset": _text(),  # name of the dataset
    "task": _text(),  # name of the task: a dataset, or a part of its labels
    "k": Column(Outputs, "a whole number from 1"),  # outputs of the target model
    "role": _text(*ATTACK_OF),  # how the target model was trained
    "attack": _text(),  # posthoc, trained afterwards; joint, trained with the target model; best, of all
    "means": _text(),  # what the attacker has in place of the study's training images and budget; "": nothing
    "chosen": _text(),  # of the best attack: which one it is, by measure
    "outputs": _text(),  # what the user sends and the attack reads; of a judged model, what it was trained for
    "trained_for": _text(),  # outputs that a vicious model was trained for
    "beta_c": _number(0.0),  # weight of the classification loss
    "beta_r": _number(0.0),  # weight of the reconstruction loss
    "recipe": _text(),  # how an honest model was trained otherwise
    "evades": _text(),  # detector that the adaptive penalty is against
    "evasion": _number(0.0),  # weight of the adaptive penalty
    "hidden": _text(),  # how the server hides the code in the outputs
    "seed": _COUNT,  # of the training
    "status": _text("ok", "failed"),  # whether there are results
    "reason": _text(),  # why not; of the best attack, too, which others failed
    "source": _text(),  # official data, or a synthetic stand-in
    "n": _COUNT,  # test images
    "image": _COUNT,  # place among the test images
    "label": _COUNT,  # class
    "predicted": _COUNT,  # class that the model answers
    "label_name": _text(),  # name of the class
    **_BESIDE,
    **{name: _measure(name) for name in measures.names()},
    "risk": _RISK,  # R, the published reconstruction risk
    "risk95": _RISK,  # R on the leading components that explain 95% of the variance
    **{f"{name}_chance": _SHARE for name in IDENTIFIED},  # what a guess is expected to reach
    **{f"{name}_share": _SHARE for name in MEDIANS},  # median of the place over the number of candidates; 1/2 is chance
    "original_rank": _RANK,  # place of the original by distance from its reconstruction; ties have their mean place
    "original_rank_same_answer": _RANK,  # the same among the test images with the same answer
    "same_answer": _COUNT,  # test images with the same answer, this one included
    "psnr_class_mean": _PSNR,  # PSNR of the mean image of the predicted class
    "risk_class_mean": _RISK,  # R of that image
    "risk95_class_mean": _RISK,  # risk95 of that image
    "top1_class_mean": _SHARE,  # top1 of that image
    "n_perfect": _COUNT,  # test images that are reconstructed perfectly
    "pixels": _COUNT,  # pixels of an image
    "covariance_images": _COUNT,  # images behind the covariance
    "rank": _COUNT,  # components that the estimator keeps
    "rank95": _COUNT,  # components that risk95 keeps
    "share_kept": _SHARE,  # share of variance along the components that are kept
    "estimator": _text(),  # estimator of the covariance's inverse
    "calibration_error": _SHARE,  # expected calibration error of what the user sends
    "kind": _text(*ESTIMATOR_KINDS, PSNR_ITSELF, ""),  # kind of the estimator
    "parameter": _number(0.0),  # share, cut-off or ridge of the estimator
    "share": _SHARE,  # share of variance that the estimator keeps; of verdicts, those flagged
    "risk_float32": _RISK,  # R from a factorisation and arithmetic in single precision
    "error_outside": _SHARE,  # share of squared error outside of the components that are kept
    "seeds_needed": _COUNT,  # seeds that would show a difference of 0.2 dB, in 4 studies of 5
    "reference": _text(),  # image quality that R is held against; of thresholds, the dataset of their honest models
    "agree": _SHARE,  # share of (test image, pair of attacks) that R orders as the reference does
    "agree_models": _SHARE,  # the same of means over images
    "spearman": _number(-1.0, 1.0),  # rank correlation of R and the reference over images
    "pairs": _COUNT,  # pairs of attacks
    "models": _COUNT,  # models behind the numbers
    "n_images": _COUNT,  # test images
    "measure": _text(*COMPARED),  # what is compared
    "difference": _number(),  # mean of this attack minus that on the honest model, in the measure's unit
    "low": _number(),  # lower end of its 95% interval
    "high": _number(),  # upper end
    "p": _SHARE,  # two-sided p of no difference; none with one seed
    "seeds": _COUNT,  # seeds behind the numbers
    "failed": _COUNT,  # seeds, models or verdicts without a result
    "attribute": _text(),  # name of the attribute
    "balanced": _SHARE,  # mean of the accuracies on images with and without the attribute
    "majority": _SHARE,  # share of the commoner value among the test images
    "positives": _COUNT,  # test images that have the attribute
    "detector": _text(),  # name of the detector
    "n_user": _COUNT,  # images in a user's sample
    "draw": _COUNT,  # which sample
    "score": _number(),  # of the detector; higher is more vicious
    "server": _text(),  # group of vicious models
    "honest_models": _COUNT,  # honest models with a verdict
    "vicious_models": _COUNT,  # vicious models with a verdict
    "auroc": _SHARE,  # chance that a vicious model scores above an honest one
    "auroc_low": _SHARE,  # lower end of its 95% interval
    "auroc_high": _SHARE,  # upper end
    "tpr_at_5fpr": _SHARE,  # share of vicious models flagged where 5% of the honest ones are
    "group": _text(),  # group of judged models
    "references": _COUNT,  # honest models behind the thresholds
    "verdicts": _COUNT,  # verdicts on the group
    "outside": _SHARE,  # share of verdicts above the upper or below the lower threshold
    **{f"{name}_{end}": _measure(name) for name in INTERVALS for end in ("low", "high")},
    **{f"{name}_sd": _number(0.0) for name in MEASURES},
}
"""Every column of every table. The end ``_low`` or ``_high`` is of a 95% interval, ``_sd`` over seeds."""


def key(*without: str) -> tuple[str, ...]:
    """:data:`KEY`, without some of it."""
    return tuple(name for name in KEY if name not in without)


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        name: what messages call it.
        columns: in the order of its file.
        more_key: what tells its rows apart, beside its part of :data:`KEY`.
        alike: pairs of columns: rows with the same value of the first have one value of the second.
        only: columns that hold fewer values than their type allows, and these.
        whole: columns of whole numbers that pandas is to keep as such though some are missing.
        empty: whether it may have no rows.
    """

    name: str
    columns: tuple[str, ...]
    more_key: tuple[str, ...] = ()
    alike: tuple[tuple[str, str], ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    empty: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """What tells its rows apart."""
        return (*self.part_of_key(), *self.more_key)

    @property
    def group(self) -> tuple[str, ...]:
        """What all seeds of one model and attack have in common: its part of :data:`KEY` without the seed."""
        return self.part_of_key("seed")

    def part_of_key(self, *without: str) -> tuple[str, ...]:
        """Its part of :data:`KEY`, without some of it."""
        return tuple(name for name in key(*without) if name in self.columns)

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """A frame of rows, with all columns in order; what a row lacks is missing."""
        import pandas as pd

        return pd.DataFrame(list(rows), columns=list(self.columns)).astype(dict.fromkeys(self.whole, "Int64"))

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        """Write a frame as CSV; raises StorageError where the file cannot be written."""
        counts = [name for name in self.columns if COLUMNS[name] is _COUNT]  # which floats of eight digits would round
        write_csv(frame[list(self.columns)].astype(dict.fromkeys(counts, "Int64")), path)


def read_table(table: Table, path: Path, what_to_do: str = _WRITE_AGAIN) -> pd.DataFrame:
    """Read a CSV strictly and check it: text stays text (a reason "nan", a dataset "NA"), an empty number is NaN.

    Args:
        what_to_do: the advice where it is not such a table.

    Raises:
        DataError, MixedResultsError: it is missing or no table; or see :func:`check_table`.
    """
    import pandas as pd

    try:
        content = read_bounded(path, MOST_BYTES).decode("utf-8")
        frame = pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)
        if not isinstance(frame.index, pd.RangeIndex):
            raise ValueError("rows have more values than there are columns")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} as a CSV table ({error}): {what_to_do}") from error
    check_table(table, frame, str(path), what_to_do)
    for name in table.columns:
        if not COLUMNS[name].text:
            frame[name] = frame[name].replace("", "nan").astype(float)
    return frame


def check_table(table: Table, frame: pd.DataFrame, where: str = "", what_to_do: str = _WRITE_AGAIN) -> None:
    """Refuse a frame, as read or in memory, that is not such a table.

    Args:
        where: what messages begin with; by default the table's name.
        what_to_do: the advice that they end with.

    Raises:
        DataError: a column is missing, has a value of another type or out of its range; or there are no rows.
        MixedResultsError: two rows have the same key, or rows that must be alike are not.
    """
    where = where or table.name
    missing = [name for name in table.columns if name not in frame.columns]
    if missing:
        raise DataError(
            f"{where}: column {', '.join(missing)} is missing; found {', '.join(map(str, frame)) or 'none'}: "
            f"{what_to_do}"
        )
    if frame.empty and not table.empty:
        raise DataError(f"{where}: no rows: {what_to_do}")
    for name in table.columns:
        column, there = COLUMNS[name], frame[name].astype(object).where(frame[name].notna(), "")
        there = there if column.text else there[there != ""]
        _check_list(column, there.tolist(), f"{where}: column {name}", what_to_do)
        only = table.only.get(name)
        odd = sorted(set(there) - set(only)) if only else []
        if odd:
            raise DataError(
                f"{where}: column {name} holds {', '.join(odd)}; expected {' or '.join(only or ())}: {what_to_do}"
            )
    unique(frame, table.key, where)
    for owner, name in table.alike:
        _one_value(frame, owner, name, where)


def _check_list(column: Column, values: list[Any], where: str, what_to_do: str, strict: bool = False) -> None:
    """Refuse a list with a value of another type or range; ``strict``: text is no number, and no number is text."""
    if column.type is str and not strict:
        return
    try:
        column.values.validate_python(values, strict=strict)
    except ValidationError as error:
        found = shortened(error.errors()[0]["input"]).strip("'")
        raise DataError(f"{where} holds {found}; expected {column.expected}: {what_to_do}") from None


def unique(frame: pd.DataFrame, names: Iterable[str], where: str) -> None:
    """Raise a MixedResultsError, which begins with ``where``, for two rows with the same values of some columns."""
    repeated = frame.loc[frame.duplicated(list(names)), list(names)]
    if len(repeated):
        first = ", ".join(f"{name} {value}" for name, value in repeated.iloc[0].items())
        raise MixedResultsError(f"{where}: several results for {first}: {_ONE_CONFIGURATION}")


def _one_value(frame: pd.DataFrame, owner: str, name: str, where: str) -> None:
    """Refuse rows with the same value of ``owner`` and several values of ``name``."""
    for one, values in frame.groupby(owner, sort=True)[name]:
        found = sorted({str(value) for value in values.dropna()} - {""})
        if len(found) > 1:
            raise MixedResultsError(
                f"{where}: {owner} {one} mixes results with {name} = {', '.join(found)}: {_ONE_CONFIGURATION}"
            )


ESTIMATORS_OF_ONE = Table(
    "estimators of one attack",
    (*ESTIMATOR, "rank", "pixels", "share", "risk", "risk_class_mean", "risk_float32", "error_outside"),
    ("estimator",),
    empty=True,
)
"""``estimators-<attack>.csv``, a row for each estimator."""
SUMMARY = Table(
    "summary",
    (
        *("dataset", "task", "k", *key("dataset", "task", "recipe", "hidden"), "status", "reason", "source", "n"),
        "chosen",
        *IN_SUMMARY,
        *(f"{name}_{end}" for name in INTERVALS for end in ("low", "high")),
        *BASELINE,
        *("n_perfect", "pixels", "covariance_images", "rank", "rank95", "share_kept", "estimator", "calibration_error"),
    ),
    alike=(("task", "dataset"), ("task", "k"), ("task", "n"), ("dataset", "source")),
)
"""``<experiment>.csv``, a row for each model, attack and seed."""
COMPARISONS = Table(
    "comparisons",
    (
        *key("means", "recipe", "hidden", "seed"),
        *("measure", "difference", "low", "high", "p", "seeds_needed", "n_images", "seeds", "failed", "reason"),
    ),
    ("measure",),
    only={"role": ("vicious", "autoencoder")},
    whole=("n_images", "seeds_needed"),
    empty=True,
)
"""``<experiment>_comparisons.csv``, a row for each measure of the original's joint attack and of the best one."""
_PLAIN = ("means", "trained_for", "recipe", "evades", "evasion", "hidden")
"""What models of the main comparison do not differ in."""
ESTIMATORS = Table(
    "estimators",
    (*key(*_PLAIN), "status", "reason", "source", *ESTIMATORS_OF_ONE.columns),
    ("estimator",),
    only={"kind": (*ESTIMATOR_KINDS, "")},
    whole=("rank", "pixels"),
)
"""``estimators.csv``, a row for each model, attack, seed and estimator; one without an estimator for what failed."""
AGREEMENT = Table(
    "agreement",
    (
        *("dataset", "task", *ESTIMATOR, "reference"),
        *("agree", "agree_models", "spearman", "pairs", "models", "n_images"),
    ),
    ("estimator", "reference"),
    whole=("n_images",),
)
"""``agreement.csv``, a row for each task, estimator and reference."""
PER_CLASS = Table(
    "measures by class",
    (
        *key(*_PLAIN, "seed"),
        *("label", "label_name", "seeds", "n", *MEASURES, *(f"{name}_sd" for name in MEASURES)),
        *("failed", "reason", "source"),
    ),
    ("label",),
    alike=(("task", "source"),),
    whole=("label",),
    empty=True,
)
"""``per_class.csv``, a row for each model, attack and class; one without a class where all seeds failed."""
OF_ATTRIBUTE = ("attribute", "accuracy", "balanced", "majority", "positives")
PER_ATTRIBUTE = Table(
    "accuracy by attribute",
    (*key(*_PLAIN, "attack"), *OF_ATTRIBUTE, "n", "status", "reason", "source"),
    ("attribute",),
    alike=(("task", "source"),),
    empty=True,
)
"""``per_attribute.csv``, a row for each model, seed and attribute; one without an attribute for what failed."""
DETECTION = Table(
    "detection scores",
    (
        *("dataset", "task", "role", "outputs", "beta_r", "recipe", "evasion", "evades", "hidden", "seed"),
        *("detector", "n_user", "draw", "score", "status", "reason"),
    ),
    ("detector", "n_user", "draw"),
)
"""``detection.csv``, of one model and of all: a row for each detector, number of user images and sample."""
SEPARATION = Table(
    "separation",
    (
        *("dataset", "detector", "n_user", "server", "honest_models", "vicious_models", "failed"),
        *("auroc", "auroc_low", "auroc_high", "tpr_at_5fpr"),
    ),
    ("detector", "n_user", "server"),
)
"""``detection_summary.csv``, a row for each dataset, detector, number of user images and group of vicious models."""
FLAGGED = Table(
    "flagged verdicts",
    (
        *("dataset", "detector", "n_user", "reference", "group", "models", "references"),
        *("verdicts", "failed", "share", "outside"),
    ),
    ("detector", "n_user", "reference", "group"),
    empty=True,
)
"""``detection_flagged.csv``, a row for each dataset, detector, number of images, reference and group of models."""
MEMBERSHIP = Table("membership", ("dataset", "task", "role", "outputs", "beta_r", "seed", "status", "reason", "source"))
"""The columns that ``membership.csv`` shares with other tables; :class:`Membership` has all."""
TPR_COLUMNS = ("tpr_at_1fpr", "tpr_at_01fpr")
"""Columns of the true positive rate at each of :data:`vicious.metrics.membership.FPRS`, 1% and 0.1%."""
CURVE = ("epoch", "train_", "validation_", "selection")
"""Columns of training curves, by their beginnings: the epoch from 1, means over its images, what picks the epoch."""
RECORD = (*key("recipe", "hidden"), "k", "beta_c", "status", "reason", "source", "label_names", "data", "images")
"""Keys of ``risk-<attack>.json``. It also holds ``target`` and ``attacker``, the settings of both models."""
RENAMED = {"rank": "risk_rank", "rank95": "risk95_rank", "share_kept": "risk_share", "estimator": "risk_estimator"}
"""Keys of a record under which it holds a column of the summary, where the names differ."""
RECORD_OK = ("n", "risk_estimator", "risk95_estimator")
"""Keys of one that has results. It also holds the means of :data:`PER_IMAGE` and :data:`BASELINE`, more of the
summary's columns, ``validation``, the means of :data:`CHOOSING` on validation images, and, of the best attack,
``choices``: the attack that was chosen for each of these, ``rivals``, all attacks, and ``failed_rivals``, those that
had no part in the choice since they failed; ``reason`` says why."""


class _Model(BaseModel):
    """What a record of results says of a model."""

    schedule: dict[str, Any]


class _Architecture(BaseModel):
    model_config = ConfigDict(extra="allow")

    multilabel: bool = False


class _Target(_Model):
    architecture: _Architecture


class _Attribute(BaseModel):
    """How well an attribute is answered: :data:`OF_ATTRIBUTE`."""

    attribute: str
    accuracy: Share
    balanced: Share | None
    majority: Share
    positives: Seed


class Record(BaseModel):
    """What ``risk-<attack>.json`` holds beside values of :data:`COLUMNS`, which :func:`check_record` checks."""

    model_config = ConfigDict(extra="allow")

    label_names: list[str] | None
    data: str
    images: dict[str, Count]
    target: _Target
    attacker: _Model
    attributes: list[_Attribute] = []
    validation: dict[str, float] = {}
    choices: dict[str, str] = {}
    rivals: list[str] = []
    failed_rivals: list[str] = []
    risk_estimator: str | None = None
    risk95_estimator: str | None = None


def check_record(record: Mapping[str, Any], where: str) -> None:
    """Raise a DataError, which begins with ``where``, for a record of an assessment that lacks a key, or has a value of
    another type or out of its range."""
    needed = (*RECORD, *(RECORD_OK if record.get("status") == "ok" else ()))
    missing = [name for name in needed if name not in record]
    if missing:
        raise DataError(f"{where} lacks {', '.join(missing)}: {AGAIN}")
    columns = COLUMNS | {key: COLUMNS[name] for name, key in RENAMED.items()}
    for name, value in record.items():
        if name in columns and (value is not None or name in needed):
            _check_list(columns[name], [value], f"{where}: {name}", AGAIN, strict=True)
    names = record["label_names"]
    if names and len(names) != record["k"]:
        raise DataError(f"{where} has {len(names)} label names for {record['k']} outputs: {AGAIN}")


def check_images(frame: pd.DataFrame, where: str) -> None:
    """Raise a DataError, which begins with ``where``, for measures of single images that are not finite, or out of
    their range; those of an estimator are as R."""
    import numpy as np

    odd = [str(name) for name in frame if not np.isfinite(frame[name].to_numpy()).all()]
    if odd:
        raise DataError(f"{where}: {', '.join(odd)} is not finite for every test image: {AGAIN}")
    for name in frame:
        _check_list(COLUMNS.get(str(name), COLUMNS["risk"]), frame[name].tolist(), f"{where}: column {name}", AGAIN)


class Membership(BaseModel):
    """``membership.csv``, a row for each target model: what its loss tells of its training images.

    Columns of its own, which :data:`COLUMNS` has not, so that no other results become stale by it. Numbers are None
    where the training failed; a true positive rate also where there are too few non-members for its false positive
    rate.
    """

    model_config = ConfigDict(extra="forbid")

    dataset: str
    task: str
    role: Role
    outputs: str = Field(description="outputs that a vicious model was trained for")
    beta_r: NotNegative
    seed: Seed
    status: Literal["ok", "failed"]
    reason: str
    source: str
    trained_on: Count | None = Field(description="training images that the weights have seen")
    members: Count | None = Field(description="of these, images that were tested")
    non_members: Count | None = Field(description="test images")
    auc: Share | None = Field(description="chance that a member's loss is smaller than a non-member's")
    auc_low: Share | None = Field(description="lower end of its 95% interval over images")
    auc_high: Share | None = Field(description="upper end")
    advantage: Share | None = Field(description="largest true minus false positive rate over all thresholds")
    advantage_chance: NotNegative | None = Field(description="what it is on average where the loss tells nothing")
    tpr_at_1fpr: Share | None = Field(description="share of members found where 1% of non-members are called members")
    tpr_at_01fpr: Share | None = Field(description="the same at 0.1%")
    loss_members: NotNegative | None = Field(description="mean loss, in nats")
    loss_non_members: NotNegative | None = Field(description="mean loss, in nats")
    accuracy_members: Share | None = Field(description="share of right answers; of attributes the mean over them")
    accuracy_non_members: Share | None = Field(description="the same of test images")

    @model_validator(mode="after")
    def _measured(self) -> Self:
        optional = {*MEMBERSHIP.columns, *TPR_COLUMNS}
        missing = [name for name, value in self if value is None and name not in optional]
        if missing and self.status == "ok":
            raise ValueError(f"{', '.join(missing)} missing")
        return self


class MembershipRecord(Membership):
    """``membership.json``: also what the target model was trained on, its weights' SHA-256, and its settings."""

    data: str = Field(description="fingerprint of the prepared data")
    weights: str
    target: _Target
