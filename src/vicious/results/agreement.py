"""Does the risk order reconstructions as image quality does, under every estimator of the covariance?"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.results.assessments import Assessment, alike, columns_of, read_assessments, same_images
from vicious.results.schema import (
    AGAIN,
    AGREEMENT,
    ATTACK_OF,
    ESTIMATOR,
    ESTIMATORS,
    ESTIMATORS_OF_ONE,
    PSNR_ITSELF,
    read_table,
)
from vicious.system.errors import DataError, MixedResultsError

REFERENCES = {"psnr": 1.0, "ssim": 1.0, "lpips": -1.0}
"""Columns of the Parquets that R is held against, where there are any, and the sign that makes larger the better.

LPIPS needs the weights of a network, which are no part of this project; its column is used where something added it.
"""
_OF_CELL = tuple(name for name in ESTIMATORS.columns if name not in ESTIMATORS_OF_ONE.columns)


def write_estimators(json_files: Iterable[Path], estimators_out: Path, agreement_out: Path) -> None:
    """Write :func:`estimators` and :func:`agreement` of the given :func:`read_assessments` as CSV."""
    found = read_assessments(json_files)
    ESTIMATORS.write(estimators(found), estimators_out)
    AGREEMENT.write(agreement(found), agreement_out)


def estimators(found: Sequence[Assessment]) -> pd.DataFrame:
    """A row per task, model, attack, seed and estimator, in the order given.

    A cell that failed has one row with its reason, without an estimator and numbers.

    Raises:
        DataError: a CSV of estimators is missing, damaged, empty, or lacks a column.
    """
    rows: list[dict[Any, Any]] = []
    for one in found:
        cell = {name: one.record[name] for name in _OF_CELL}
        rows += [cell | estimator for estimator in (_profile(one).to_dict("records") if one.ok else [{}])]
    return ESTIMATORS.frame(rows)


def agreement(found: Sequence[Assessment]) -> pd.DataFrame:
    """A row per task, estimator and reference, in the order given.

    R orders two reconstructions of an image as a reference does if it calls the better one the riskier. ``agree`` is
    the share of such orders over test images, pairs of attacks on the same task and seed (on the honest model; on
    vicious models of each beta_R and outputs; on autoencoders), and seeds; ties, in R or in the reference, count half,
    so 0.5 is chance. ``agree_models`` is the same for means over images. ``spearman`` is the rank correlation over test
    images of R and the reference, the mean over the attacks and seeds whose values are not all equal. ``pairs`` counts
    the pairs of attacks summed over seeds, ``models`` the attacks that succeeded, ``n_images`` the test images.

    The attacks are the original's. The best one may have R and image quality from different reconstructions, so it
    cannot tell whether the two agree.

    The estimator ``psnr`` is PSNR itself in place of R: how far two measures of image quality agree.

    Without two attacks of one seed, the agreements are empty; a task where all failed has one row for each of PSNR and
    SSIM, without an estimator and numbers.

    Raises:
        DataError: a Parquet is missing, damaged, or lacks an estimator.
        MixedResultsError: the attacks of a task were judged under different estimators.
    """
    originals = [one for one in found if one.record["attack"] == ATTACK_OF[one.record["role"]]]
    tasks = alike(originals, ("task",))
    return AGREEMENT.frame(row for cells in tasks for row in _task_rows(cells))


def order_agreement(values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of (image, pair of attacks) that each estimator orders as the reference does; ties count half.

    Shapes: (attacks, n, estimators) and (attacks, n) -> (estimators,); NaN for fewer than two attacks.
    """
    # A pair scores the product of two signs: 1 if both order it alike, -1 if not, 0 for a tie in either.
    scores = [
        (np.sign(values[one] - values[two]) * np.sign(reference[one] - reference[two])[:, None]).mean(0)
        for one, two in combinations(range(len(values)), 2)
    ]
    return 0.5 + 0.5 * np.mean(scores, axis=0) if scores else np.full(values.shape[2], np.nan)


def spearman(values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rank correlation of each column with the reference, with mean ranks for ties; NaN without variation.

    Shapes: (n, estimators) and (n,) -> (estimators,).
    """
    ranks = pd.DataFrame(np.column_stack([reference, values])).rank().to_numpy()
    centred = ranks - ranks.mean(0)
    norms = np.sqrt((centred**2).sum(0))
    with np.errstate(invalid="ignore"):
        return np.asarray((centred[:, 1:] * centred[:, :1]).sum(0) / (norms[1:] * norms[0]))


def _task_rows(cells: Sequence[Assessment]) -> list[dict[Any, Any]]:
    """The rows of one task: the images of one seed are in memory at a time."""
    good = [one for one in cells if one.ok]
    task = {name: cells[0].record[name] for name in ("dataset", "task")}
    if not good:
        return [task | {"reference": name, "pairs": 0, "models": 0} for name in ("psnr", "ssim")]
    references = _references(good)
    itself = pd.DataFrame([{"estimator": PSNR_ITSELF, "kind": PSNR_ITSELF, "parameter": np.nan}])
    judges = pd.concat([_estimators(good), itself], ignore_index=True)
    seeds = alike(sorted(good, key=lambda one: one.record["seed"]), ("seed",))
    pairs = np.array([len(attacks) * (len(attacks) - 1) // 2 for attacks in seeds])
    found = [_of_seed(attacks, judges["estimator"].tolist(), references) for attacks in seeds]
    agree, models = (_weighted(np.stack([one[part] for one in found]), pairs) for part in (0, 1))
    correlation = _mean(np.concatenate([one[2] for one in found]))
    shared = task | {"pairs": int(pairs.sum()), "models": len(good), "n_images": good[0].record["n"]}
    rows: list[dict[Any, Any]] = []
    for index, reference in enumerate(references):
        numbers = zip(agree[index], models[index], correlation[index], strict=True)
        for judge, values in zip(judges.to_dict("records"), numbers, strict=True):
            if judge["estimator"] != reference:
                measured = dict(zip(("agree", "agree_models", "spearman"), values, strict=True))
                rows.append({**shared, **judge, **measured, "reference": reference})
    return rows


def _of_seed(
    attacks: Sequence[Assessment], names: Sequence[str], references: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How the attacks of one task and seed agree with each reference, under each estimator.

    Returns:
        over test images (references, estimators), of means over images (references, estimators), and the rank
        correlation of each attack (attacks, references, estimators).
    """
    read = [one.images(list(dict.fromkeys(["image", *references, *names]))) for one in attacks]
    same_images(list(zip(attacks, read, strict=True)))
    values = np.stack([frame[list(names)].to_numpy() for frame in read])
    qualities = [REFERENCES[name] * np.stack([frame[name].to_numpy() for frame in read]) for name in references]
    means = values.mean(1, keepdims=True)
    return (
        np.stack([order_agreement(values, quality) for quality in qualities]),
        np.stack([order_agreement(means, quality.mean(1, keepdims=True)) for quality in qualities]),
        np.stack([[spearman(*one) for one in zip(values, quality, strict=True)] for quality in qualities], axis=1),
    )


def _weighted(values: NDArray[np.float64], pairs: NDArray[np.int_]) -> NDArray[np.float64]:
    """Mean over seeds (the first axis), each by its number of pairs; NaN where there is no pair."""
    counted = pairs > 0
    if not counted.any():
        return np.full(values.shape[1:], np.nan)
    return np.asarray(np.average(values[counted], axis=0, weights=pairs[counted]))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over rows without NaN; NaN where no row is left."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(0) / known.sum(0))


def _estimators(good: Sequence[Assessment]) -> pd.DataFrame:
    """Name, kind and parameter of the estimators that judged all attacks of a task."""
    first = _profile(good[0])[list(ESTIMATOR)]
    for one in good[1:]:
        if not _profile(one)[list(ESTIMATOR)].equals(first):
            raise MixedResultsError(
                f"{good[0].estimators} and {one.estimators} hold different estimators: run `snakemake` again so that "
                "all results follow the same code"
            )
    return first


def _references(good: Sequence[Assessment]) -> list[str]:
    """The references that all attacks of a task have a column of; PSNR and SSIM always."""
    found = [columns_of(one.parquet) for one in good]
    return [name for name in REFERENCES if name in ("psnr", "ssim") or all(name in names for names in found)]


def _profile(one: Assessment) -> pd.DataFrame:
    """The rows of the CSV of estimators beside a summary."""
    frame = read_table(ESTIMATORS_OF_ONE, one.estimators, AGAIN)
    if frame.empty:
        raise DataError(f"{one.estimators} has no rows, though {one.file.name} says ok: {AGAIN}")
    return frame[list(ESTIMATORS_OF_ONE.columns)]
