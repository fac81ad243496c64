"""The best of several attacks on one target model: what the target model gives away.

Each attack was also measured on validation images. For every measure that attack is taken which reads the most from
those, and what it reads from the test images counts. So no attack is chosen by the images that it is judged on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.results.assessments import Assessment, columns_of, read_assessments, read_stored, same_images
from vicious.results.schema import AGAIN, BEST, CHOOSING, RECORD, follows
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import atomic_path, open_regular, write_json

_MODEL = tuple(name for name in RECORD if name not in ("attack", "status", "reason"))
"""What all attacks on one target model and its outputs agree in."""
_OF_ATTACK = (*RECORD, "target", "attacker", "validation")
"""Keys that are not taken over from an attack's record as what was measured."""


def write_best(json_files: Iterable[Path], out: Path) -> None:
    """Choose the best of some attacks, and write it as an assessment of its own, named ``best``.

    Args:
        json_files: the assessments of every attack on the same outputs of one target model.
        out: the JSON to write; the other files of an assessment are written beside it.

    Raises:
        DataError: an assessment is missing, damaged, or was not measured on validation images.
        MixedResultsError: they are not of one target model and kind of outputs.
    """
    found = read_assessments(json_files)
    _check_one_model(found)
    good = [one for one in found if one.ok]
    best = Assessment(out, {})
    failed = {one.record["attack"]: one.record["reason"] for one in found if not one.ok}
    shared = {name: found[0].record[name] for name in (*_MODEL, "target")}
    shared |= {"attack": BEST, "attacker": {"schedule": {}}, "rivals": [one.record["attack"] for one in found]}
    shared |= {"failed_rivals": list(failed)}
    if good:
        chosen = choose(good)
        _write_images(chosen, best)
        names = {measure: one.record["attack"] for measure, one in chosen.items()}
        told = {"status": "ok", "reason": _without(failed), **_values(chosen), "choices": names}
    else:
        chosen = {"risk": found[0], "psnr": found[0]}  # their files are those of a failed attack
        _copy(found[0].parquet, best.parquet)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        told = {"status": "failed", "reason": f"every attack failed ({reasons})", "choices": {}}
    _copy(chosen["risk"].estimators, best.estimators)
    _copy(chosen["psnr"].gallery, best.gallery)
    write_json(best.file, {**shared, **told})


def _without(failed: Mapping[str, str]) -> str:
    """Which attacks had no part in the choice, and why; "" where all had."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
    return f"the best without what failed ({reasons})" if failed else ""


def choose(good: Sequence[Assessment]) -> dict[str, Assessment]:
    """By measure of :data:`~vicious.results.schema.CHOOSING` the attack that reads the most from validation images; of
    several as good the one with the smaller error, then the first."""

    def place(one: Assessment, measure: str, sign: float) -> tuple[float, float]:
        means = _validation(one)
        return sign * means[measure], -means["mse"]

    return {
        measure: max(good, key=lambda one, name=measure, sign=sign: place(one, name, sign))  # type: ignore[misc]
        for measure, sign in CHOOSING.items()
    }


def _validation(one: Assessment) -> Mapping[str, float]:
    found: Mapping[str, float] = one.record.get("validation") or {}
    missing = [name for name in CHOOSING if name not in found]
    if missing:
        raise DataError(f"{one.file} lacks {', '.join(missing)} of validation images: {AGAIN}")
    return found


def _check_one_model(found: Sequence[Assessment]) -> None:
    for one in found[1:]:
        for name in _MODEL:
            if one.record[name] != found[0].record[name]:
                raise MixedResultsError(
                    f"{found[0].file} and {one.file} are of different models or outputs ({name}): give the attacks on "
                    "one target model"
                )


def _values(chosen: Mapping[str, Assessment]) -> dict[str, Any]:
    """The means over test images, each of the attack that was chosen for its measure."""
    keys = [name for name in chosen["risk"].record if name not in _OF_ATTACK]
    return {name: chosen[follows(name)].record.get(name) for name in keys}


def _write_images(chosen: Mapping[str, Assessment], best: Assessment) -> None:
    same_images([(one, one.images(["image"])) for one in chosen.values()])
    first, *others = chosen.values()
    names = columns_of(first.parquet)
    for one in others:
        odd = sorted({*names} ^ {*columns_of(one.parquet)})
        if odd:
            raise DataError(f"one of {first.parquet} and {one.parquet} lacks {odd[0]}: {AGAIN}")
    stored = {one.file: read_stored(one.parquet, names) for one in chosen.values()}
    frame = {name: stored[chosen[follows(name)].file][name] for name in names}
    with atomic_path(best.parquet) as temporary:
        pd.DataFrame(frame).to_parquet(temporary, index=False)


def _copy(source: Path, out: Path) -> None:
    with open_regular(source) as content, atomic_path(out) as temporary:
        temporary.write_bytes(content.read())
