"""What is read from vicious models and autoencoders against what is read from honest ones: paired over test images,
with models as the units.

By the original's attacks, the joint one against the post-hoc one on the honest model; and by the best of all attacks,
which are the same for both, but that only vicious models have the joint one."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.metrics.paired import paired_means, seeds_to_show
from vicious.results.assessments import Assessment, alike, in_order, read_assessments, same_images
from vicious.results.schema import ATTACK_OF, BEST, COMPARED, COMPARISONS, EFFECTS
from vicious.system.errors import MixedResultsError

_PAIRED = ("task", "outputs", "seed")
"""What a model shares with the honest one that it is compared with."""


def write_comparisons(json_files: Iterable[Path], out: Path) -> None:
    """Write :func:`compare` of the given :func:`read_assessments` as CSV; a header where nothing is compared."""
    COMPARISONS.write(compare(read_assessments(json_files)), out)


def compare(cells: Sequence[Assessment]) -> pd.DataFrame:
    """A row per attack and measure: that attack minus the one on the honest model that it is compared with.

    Tasks come in the order given, then by role, attack, outputs, beta_R and adaptive penalty. ``difference`` is the
    mean over images and seeds, ``low``, ``high`` and ``p`` are as in :func:`vicious.metrics.paired.paired_means`,
    ``seeds`` counts the seeds for which both attacks succeeded, ``failed`` the others, and ``reason`` says why; numbers
    are empty where no seed is left. ``seeds_needed`` is how many would show the measure's
    :data:`~vicious.results.schema.EFFECTS`, as :func:`vicious.metrics.paired.seeds_to_show` counts them. Accuracy (a
    share) is empty for autoencoders, which are not asked for labels.

    Raises:
        DataError: see :meth:`Assessment.images`; or two attacks were measured on different test images.
    """
    rows: list[dict[str, Any]] = []
    for attacks in (ATTACK_OF, dict.fromkeys(ATTACK_OF, BEST)):
        usual = [one for one in cells if not one.record["means"]]
        same = [one for one in usual if one.record["attack"] == attacks[one.record["role"]]]
        honest = {one.values(_PAIRED): one for one in same if one.record["role"] == "honest"}
        for seeds in alike((one for one in same if one.record["role"] != "honest"), COMPARISONS.group):
            ordered = sorted(seeds, key=lambda one: one.record["seed"])
            rows += _rows([(honest.get(one.values(_PAIRED)), one) for one in ordered])
    return in_order(COMPARISONS, rows, cells)


def _rows(pairs: Sequence[tuple[Assessment | None, Assessment]]) -> list[dict[str, Any]]:
    """The rows of one attack: a pair of the honest model's and this attack for each seed."""
    record = pairs[0][1].record
    measures = [name for name in COMPARED if not (name == "accuracy" and record["role"] == "autoencoder")]
    if len({one.record["seed"] for _, one in pairs}) < len(pairs):
        raise MixedResultsError(f"{pairs[0][1].file} and others are of one seed of one model: remove all but one")
    reasons = {one.record["seed"]: _reason(honest, one) for honest, one in pairs}
    sound = [(honest, one) for honest, one in pairs if honest and not reasons[one.record["seed"]]]
    differences = [_differences(honest, one, measures) for honest, one in sound]
    results = dict(zip(measures, paired_means(differences), strict=True)) if differences else {}
    needed = _seeds_needed(differences, measures)
    shared = {
        **{name: record[name] for name in COMPARISONS.group},
        "n_images": len(differences[0]) if differences else None,
        "seeds": len(differences),
        "failed": len(pairs) - len(differences),
        "reason": "; ".join(f"seed {seed}: {reason}" for seed, reason in reasons.items() if reason),
    }
    rows = []
    for name in COMPARED:
        numbers = results.get(name, [math.nan] * 4)
        numbered = dict(zip(("difference", "low", "high", "p"), numbers, strict=True))
        rows.append(shared | {"measure": name, **numbered, "seeds_needed": needed.get(name)})
    return rows


def _seeds_needed(differences: Sequence[NDArray[np.float64]], measures: Sequence[str]) -> dict[str, int | None]:
    """How many seeds would show the :data:`~vicious.results.schema.EFFECTS`, by measure."""
    return {
        name: seeds_to_show([values[:, [measures.index(name)]] for values in differences], effect)[0]
        for name, effect in EFFECTS.items()
        if differences
    }


def _reason(honest: Assessment | None, other: Assessment) -> str:
    """Why a seed cannot be compared; empty where it can."""
    if honest is None:
        return "there is no such attack on the honest model"
    failed = [one.record for one in (honest, other) if not one.ok]
    unequal = _rivals_that_failed(honest) ^ _rivals_that_failed(other)
    if not failed and unequal:
        return f"not the best of the same attacks, since one failed: {', '.join(sorted(unequal))}"
    return ", ".join(f"{record['role']}: {record['reason'] or 'failed'}" for record in failed)


def _rivals_that_failed(one: Assessment) -> set[str]:
    """Of the attacks that the best one is chosen from, apart from the joint one, which honest models lack."""
    return {*one.record.get("failed_rivals", ())} - {ATTACK_OF["vicious"]}


def _differences(honest: Assessment, other: Assessment, measures: Sequence[str]) -> NDArray[np.float64]:
    """That attack minus the honest model's, for each test image and measure, (n, m)."""
    one, two = (side.images(["image", *measures]) for side in (honest, other))
    same_images([(honest, one), (other, two)])
    return (two[list(measures)] - one[list(measures)]).to_numpy()
