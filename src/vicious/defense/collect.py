"""How well detectors separate vicious from honest models. Reads scores, never models."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vicious.defense.combined import combined
from vicious.defense.groups import HONEST, MODEL, VICIOUS, names
from vicious.defense.thresholds import called
from vicious.errors import DataError
from vicious.files import write_csv


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

    Honest models of another recipe are left out. A model's score is its mean over draws; the interval resamples models,
    never draws of one model. With fewer than two models of a kind there is no interval. ``server`` is the group of the
    vicious models (:mod:`vicious.defense.groups`): ``vicious``, and those of adaptive servers.

    Args:
        scores: rows as written by :func:`evaluate_defense`, of several models.
    """
    rows: list[dict[str, Any]] = []
    named = scores.assign(group=names(scores))
    for key, block in named.groupby(["dataset", "detector", "n_user"], sort=False):
        models = block.groupby(["group", *MODEL], dropna=False, sort=False)["score"].mean().reset_index()
        honest = models.loc[models["group"] == HONEST]
        for server in dict.fromkeys([VICIOUS, *models.loc[models["role"] == "vicious", "group"]]):
            row = dict(zip(("dataset", "detector", "n_user"), key, strict=True)) | {"server": server}
            # The same honest models are drawn for every server.
            generator = np.random.default_rng(seed)
            rows.append(row | _separation(honest, models.loc[models["group"] == server], resamples, generator))
    columns = ["dataset", "detector", "n_user", "server", "honest_models", "vicious_models", "failed"]
    return pd.DataFrame(rows, columns=[*columns, "auroc", "auroc_low", "auroc_high", "tpr_at_5fpr"])


def _separation(
    honest_models: pd.DataFrame, vicious_models: pd.DataFrame, resamples: int, generator: np.random.Generator
) -> dict[str, Any]:
    honest, vicious = (models["score"].dropna().to_numpy() for models in (honest_models, vicious_models))
    failed = len(honest_models) + len(vicious_models) - len(honest) - len(vicious)
    row: dict[str, Any] = {"honest_models": len(honest), "vicious_models": len(vicious), "failed": failed}
    if len(honest) and len(vicious):
        row |= {"auroc": auroc(honest, vicious), "tpr_at_5fpr": tpr_at_fpr(honest, vicious)}
    if len(honest) > 1 and len(vicious) > 1:
        samples = [
            auroc(generator.choice(honest, len(honest)), generator.choice(vicious, len(vicious)))
            for _ in range(resamples)
        ]
        row["auroc_low"], row["auroc_high"] = np.quantile(samples, [0.025, 0.975])
    return row


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
        ("dataset", "task", "role", "outputs", "recipe", "hidden", "detector", "status", "reason"), str
    )
    try:
        return pd.read_csv(file, dtype=text, keep_default_na=False, na_values={"score": [""]})
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the scores {file} ({error}): delete it and run `snakemake` again") from error
