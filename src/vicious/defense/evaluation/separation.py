"""How well detectors separate vicious from honest models, over verdicts on several models."""

from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq

from vicious.defense.evaluation.groups import HONEST, VICIOUS, named, of_weight
from vicious.results.schema import SEPARATION

Z = 1.959964
"""Standard deviations on either side that hold 95% of a normal distribution."""


def auroc(honest: NDArray[Any], vicious: NDArray[Any]) -> float:
    """Chance that a vicious model scores above an honest one, ties counting half (the Mann-Whitney statistic)."""
    difference = np.asarray(vicious)[:, None] - np.asarray(honest)[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def auroc_interval(area: float, honest: int, vicious: int) -> tuple[float, float]:
    """95% interval of an AUROC over so many models of both kinds, within [0, 1].

    It holds each area from which the measured one is at most 1.96 standard errors away, by the standard error that the
    other area has: Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic",
    part 2 (Statistics in Medicine 25, 2006), method 5. So it does not shrink to a point where all models are told
    apart. Models are the units: several verdicts on each make it no narrower.

    Raises:
        ValueError: the area is outside [0, 1], or a kind has no model.
    """
    if not 0 <= area <= 1 or min(honest, vicious) < 1:
        raise ValueError(f"no AUROC of {honest} and {vicious} models: {area}")
    more = (honest + vicious) / 2 - 1

    def away(other: float) -> float:
        spread = 1 + more * ((1 - other) / (2 - other) + other / (1 + other))
        return abs(area - other) - Z * sqrt(max(other * (1 - other), 0.0) * spread / (honest * vicious))

    low = brentq(away, 0.0, area * (1 - 1e-9)) if area > 0 else 0.0
    high = brentq(away, area + (1 - area) * 1e-9, 1.0) if area < 1 else 1.0
    return float(low), float(high)


def tpr_at_fpr(honest: NDArray[Any], vicious: NDArray[Any], fpr: float = 0.05) -> float:
    """Share of vicious models above the lowest threshold that flags at most ``fpr`` of the honest ones."""
    ordered = np.sort(np.asarray(honest))[::-1]
    threshold = ordered[int(np.floor(fpr * len(ordered)))]
    return float((np.asarray(vicious) > threshold).mean())


def separation(scores: pd.DataFrame) -> pd.DataFrame:
    """AUROC and TPR at 5% FPR, a row for each dataset, detector, number of user images and kind of vicious server.

    Both are over verdicts: a verdict is the score of one sample of user images, since a user has no more than one. The
    95% interval is over models (:func:`auroc_interval`); with fewer than two models of a kind there is none. Honest
    models of another recipe are left out.

    Returns:
        ``server`` is the group of the vicious models (:mod:`vicious.defense.evaluation.groups`): ``vicious``, where
        they have several weights also each of these (:func:`vicious.defense.evaluation.groups.of_weight`), and those of
        adaptive servers. ``failed`` counts models of which a verdict has no score; ``honest_models`` and
        ``vicious_models`` count those with one.

    Args:
        scores: rows as written by ``evaluate_defense``, of several models.
    """
    rows: list[dict[str, Any]] = []
    for key, block in named(scores).groupby(["dataset", "detector", "n_user"], sort=False):
        honest = block.loc[block["group"] == HONEST]
        for server, vicious in _servers(block).items():
            row = dict(zip(("dataset", "detector", "n_user"), key, strict=True)) | {"server": server}
            rows.append(row | _separation(honest, vicious))
    return SEPARATION.frame(rows)


def _servers(block: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Scores of each kind of vicious server."""
    vicious = block.loc[block["group"] == VICIOUS]
    weights = sorted(set(vicious["beta_r"]))
    alike = {of_weight(weight): vicious.loc[vicious["beta_r"] == weight] for weight in weights if len(weights) > 1}
    others = dict.fromkeys(block.loc[(block["role"] == "vicious") & (block["group"] != VICIOUS), "group"])
    return {VICIOUS: vicious, **alike, **{server: block.loc[block["group"] == server] for server in others}}


def _separation(honest_scores: pd.DataFrame, vicious_scores: pd.DataFrame) -> dict[str, Any]:
    both = honest_scores, vicious_scores
    honest, vicious = map(_verdicts, both)
    failed = sum(rows.loc[rows["score"].isna(), "model"].nunique() for rows in both)
    row: dict[str, Any] = {"honest_models": len(honest), "vicious_models": len(vicious), "failed": failed}
    if not honest or not vicious:
        return row
    each = np.array([[auroc(one, other) for other in vicious] for one in honest])
    row |= {"auroc": each.mean(), "tpr_at_5fpr": tpr_at_fpr(np.concatenate(honest), np.concatenate(vicious))}
    if len(honest) > 1 and len(vicious) > 1:
        row["auroc_low"], row["auroc_high"] = auroc_interval(float(each.mean()), len(honest), len(vicious))
    return row


def _verdicts(scores: pd.DataFrame) -> list[NDArray[np.float64]]:
    """The scores of each model's verdicts; a model without any is left out."""
    models, verdicts = scores["model"].to_numpy(), scores["score"].to_numpy()
    there = ~np.isnan(verdicts)
    return [verdicts[there & (models == model)] for model in dict.fromkeys(models[there])]
