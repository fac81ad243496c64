"""The combined score: a logistic regression over all detectors, fitted on other datasets only.

A user cannot fit a detector on the dataset at hand, whose vicious models are not known. What separates honest from
vicious models of other datasets may carry over. The score is the log-odds that a model is vicious.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from vicious.defense.evaluation.groups import MODEL, standard

NAME = "combined"
PENALTY = 1.0  # of the squared weights, in units of one model's loss: with few models the weights must stay small
Array = NDArray[np.float64]


def combined(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the combined score, one for each model, number of user images and draw; none for a single dataset.

    It is over the detectors that judged all datasets. For a dataset and number of images it is fitted on the models of
    all other datasets, each by its mean scores over draws, with honest and vicious models weighing alike; honest ones
    of another recipe and adaptive servers' are judged only. A row has status "failed" where the other datasets lack a
    kind of model, or a detector has no score.

    Args:
        scores: rows as written by ``evaluate_defense``, of several models.
    """
    datasets = scores.groupby("detector")["dataset"].nunique()
    scores = scores.loc[scores["detector"].map(datasets) == scores["dataset"].nunique()]
    if scores["dataset"].nunique() < 2 or scores["detector"].nunique() < 2:
        return scores.iloc[:0]
    keys = [*MODEL, "n_user", "draw"]
    # A pivot table would fill in every combination of keys.
    wide = scores.set_index([*keys, "detector"])["score"].unstack("detector", sort=False)  # noqa: PD010
    rows = []
    for (dataset, n), group in wide.groupby(level=["dataset", "n_user"], sort=False):
        level = wide.index.get_level_values
        others = wide.loc[(level("dataset") != dataset) & (level("n_user") == n)]
        others = others.loc[standard(others.index.to_frame())]
        models = others.groupby(level=list(MODEL), sort=False).mean().dropna()
        vicious = (models.index.get_level_values("role") == "vicious").astype(np.float64)
        verdicts = group.index.to_frame(index=False).assign(detector=NAME, status="ok", reason="")
        if not 0 < vicious.sum() < len(vicious):
            lacking = "other datasets lack honest or vicious models"
            rows.append(verdicts.assign(score=np.nan, status="failed", reason=lacking))
            continue
        verdicts = verdicts.assign(score=_log_odds(models.to_numpy(), vicious, group.to_numpy()))
        verdicts.loc[verdicts["score"].isna(), ["status", "reason"]] = ["failed", "a detector has no score"]
        rows.append(verdicts)
    return pd.concat(rows, ignore_index=True)[list(scores.columns)]


def _log_odds(x: Array, y: Array, judged: Array) -> Array:
    """Log-odds (n,) of the scores ``judged`` (n, detectors), NaN where a score is, by a logistic regression of y (m,)
    on x (m, detectors) with an L2 penalty, both classes weighing alike."""
    centre, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, np.inf)
    features = np.column_stack([(x - centre) / spread, np.ones(len(x))])
    weight = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum()) * len(y)

    def loss(w: Array) -> tuple[float, Array]:
        odds = features @ w
        value = (weight * np.logaddexp(0, np.where(y == 1, -odds, odds))).sum() + PENALTY / 2 * (w[:-1] ** 2).sum()
        gradient = features.T @ (weight * (expit(odds) - y)) + PENALTY * np.append(w[:-1], 0.0)
        return float(value), gradient

    w = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x
    return np.asarray((judged - centre) / spread @ w[:-1] + w[-1])
