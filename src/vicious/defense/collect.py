"""How well detectors separate vicious from honest models. Reads scores, never models."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.combined import NAME as COMBINED
from vicious.defense.combined import combined
from vicious.defense.groups import HONEST, MODEL, VICIOUS, names, of_weight
from vicious.defense.thresholds import called
from vicious.models.evaded import evasion_of
from vicious.system.errors import DataError
from vicious.system.files import write_csv


def auroc(honest: NDArray[Any], vicious: NDArray[Any]) -> float:
    """Chance that a vicious model scores above an honest one, ties counting half (the Mann-Whitney statistic)."""
    difference = np.asarray(vicious)[:, None] - np.asarray(honest)[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def tpr_at_fpr(honest: NDArray[Any], vicious: NDArray[Any], fpr: float = 0.05) -> float:
    """Share of vicious models above the lowest threshold that calls at most ``fpr`` of the honest ones vicious."""
    ordered = np.sort(np.asarray(honest))[::-1]
    threshold = ordered[int(np.floor(fpr * len(ordered)))]
    return float((np.asarray(vicious) > threshold).mean())


def separation(scores: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """AUROC and TPR at 5% FPR per dataset, detector, number of user images and kind of vicious server, with 95% intervals.

    Both are over verdicts: a verdict is the score of one sample of user images, since a user has no more than one. The interval
    resamples models, each with all its verdicts, never verdicts of one model; with fewer than two models of a kind there is
    none. Honest models of another recipe are left out. ``server`` is the group of the vicious models
    (:mod:`vicious.defense.groups`): ``vicious``, where they have several weights also each of these
    (:func:`vicious.defense.groups.of_weight`), and those of adaptive servers. ``failed`` counts models of which a verdict has no
    score; the others count those with one.

    Args:
        scores: rows as written by :func:`evaluate_defense`, of several models.
    """
    rows: list[dict[str, Any]] = []
    of_model = scores.groupby(list(MODEL), dropna=False, sort=False).ngroup()
    named = scores.assign(group=names(scores), model=of_model)
    for key, block in named.groupby(["dataset", "detector", "n_user"], sort=False):
        honest = block.loc[block["group"] == HONEST]
        for server, vicious in _servers(block).items():
            row = dict(zip(("dataset", "detector", "n_user"), key, strict=True)) | {"server": server}
            rows.append(row | _separation(honest, vicious, resamples, seed))
    columns = ["dataset", "detector", "n_user", "server", "honest_models", "vicious_models", "failed"]
    return pd.DataFrame(rows, columns=[*columns, "auroc", "auroc_low", "auroc_high", "tpr_at_5fpr"])


def _servers(block: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Scores of each kind of vicious server."""
    vicious = block.loc[block["group"] == VICIOUS]
    weights = sorted(set(vicious["beta_r"]))
    alike = {of_weight(weight): vicious.loc[vicious["beta_r"] == weight] for weight in weights if len(weights) > 1}
    others = dict.fromkeys(block.loc[(block["role"] == "vicious") & (block["group"] != VICIOUS), "group"])
    return {VICIOUS: vicious, **alike, **{server: block.loc[block["group"] == server] for server in others}}


def _separation(honest_scores: pd.DataFrame, vicious_scores: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    honest, vicious = (_verdicts(scores) for scores in (honest_scores, vicious_scores))
    failed = sum(rows.loc[rows["score"].isna(), "model"].nunique() for rows in (honest_scores, vicious_scores))
    row: dict[str, Any] = {"honest_models": len(honest), "vicious_models": len(vicious), "failed": failed}
    if not honest or not vicious:
        return row
    each = np.array([[auroc(one, other) for other in vicious] for one in honest])
    row |= {"auroc": each.mean(), "tpr_at_5fpr": tpr_at_fpr(np.concatenate(honest), np.concatenate(vicious))}
    if len(honest) > 1 and len(vicious) > 1:
        generator = np.random.default_rng(seed)
        drawn = ([generator.integers(size, size=size) for size in each.shape] for _ in range(resamples))
        means = [each[np.ix_(*models)].mean() for models in drawn]
        row["auroc_low"], row["auroc_high"] = np.quantile(means, [0.025, 0.975])
    return row


def _verdicts(scores: pd.DataFrame) -> list[NDArray[np.float64]]:
    """The scores of each model's verdicts; a model without any is left out."""
    models, verdicts = scores["model"].to_numpy(), scores["score"].to_numpy(dtype=np.float64)
    there = ~np.isnan(verdicts)
    return [verdicts[there & (models == model)] for model in dict.fromkeys(models[there])]


def failed_verdicts(file: Path) -> list[str]:
    """A line for each model and reason why verdicts in a detection.csv have no score.

    Raises:
        DataError: the file is damaged.
    """
    scores = _read(file)
    try:
        failed = scores.loc[scores["score"].isna() & (scores["detector"] != COMBINED)]
        failed = failed.assign(group=names(failed))
        counts = (
            failed.groupby(["task", "group", "beta_r", "seed", "reason"], sort=False).size().reset_index(name="count")
        )
    except KeyError as error:
        raise DataError(f"{file} lacks the column {error}: delete it and run `snakemake` again") from None
    return [
        f"{row['task']}, {row['group']} (beta_R {row['beta_r']:g}), seed {row['seed']}: {row['count']} verdicts without a "
        f"score: {row['reason']}"
        for row in counts.to_dict("records")
    ]


def collect_detection(files: Iterable[Path], scores_out: Path, separation_out: Path, called_out: Path) -> None:
    """Join the scores of all models, add the combined score, and write how well each detector separates them.

    Args:
        files: CSVs written by :func:`vicious.defense.evaluate.evaluate_defense`.
        scores_out: all scores.
        separation_out: see :func:`separation`.
        called_out: see :func:`vicious.defense.thresholds.called`.
    """
    scores = pd.concat([_read(Path(file)) for file in files], ignore_index=True)
    scores = pd.concat([scores, combined(scores)], ignore_index=True)
    for frame, out in ((scores, scores_out), (separation(scores), separation_out), (called(scores), called_out)):
        write_csv(frame, out)


def _read(file: Path) -> pd.DataFrame:
    """The scores of one model: text stays text, and an empty score is NaN."""
    text = dict.fromkeys(
        ("dataset", "task", "role", "outputs", "recipe", "evades", "hidden", "detector", "status", "reason"), str
    )
    try:
        frame = pd.read_csv(file, dtype=text, keep_default_na=False, na_values={"score": [""]})
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the scores {file} ({error}): delete it and run `snakemake` again") from error
    return frame if "evades" in frame else _with_evades(frame)


def _with_evades(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores that name no detector evaded, with it, as :func:`vicious.models.evaded.evasion_of` tells it."""
    return scores.assign(evades=[evasion_of({"evasion": weight})["evades"] for weight in scores["evasion"]])
