"""Distance correlation against plain loops over the formulas of its source, and what a hidden code cannot change."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from vicious.defense.detectors.distance_correlation import DETECTOR, centred_distances
from vicious.models.hidden import hide


def _centred(rows: Any) -> np.ndarray:
    """Definition 2.2 of Szekely and Rizzo (2014), entry by entry."""
    n = len(rows)
    a = [[float(np.sqrt(((one - two) ** 2).sum())) for two in rows] for one in rows]
    centred = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                row = sum(a[i][k] for k in range(n)) / (n - 2)
                column = sum(a[k][j] for k in range(n)) / (n - 2)
                every = sum(map(sum, a)) / ((n - 1) * (n - 2))
                centred[i, j] = a[i][j] - row - column + every
    return centred


def test_distances_are_centred_as_in_the_source() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 3))
    found = centred_distances(rows)
    np.testing.assert_allclose(found, _centred(rows), atol=1e-12)
    np.testing.assert_allclose(found.sum(1), 0, atol=1e-12)


def test_the_score_sums_over_predicted_classes(made: Any) -> None:
    evidence = made(40, leak=1.0)
    label, sums = evidence.logits.argmax(1), np.zeros(3)
    for one in np.unique(label):
        logits = np.delete(evidence.logits[label == one], one, axis=1)
        logits = logits - logits.mean(1, keepdims=True)
        if len(logits) > 3:
            a, b = _centred(logits / logits.std(0)), _centred(evidence.pixels[label == one])
            sums += [(a * b).sum(), (a * a).sum(), (b * b).sum()]
    assert DETECTOR.score(evidence) == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]), abs=1e-9)


def test_unrelated_outputs_score_near_zero(made: Any) -> None:
    scores = []
    for seed in range(8):
        evidence = made(100, seed=seed)
        noise = np.random.default_rng(seed).normal(size=evidence.logits.shape)
        scores.append(DETECTOR.score(replace(evidence, logits=evidence.logits * 0 + noise)))
    assert abs(np.mean(scores)) < 0.03


def test_a_shuffled_code_scores_as_the_code_itself(made: Any) -> None:
    evidence = made(100, leak=1.0)
    hidden = hide(torch.from_numpy(evidence.logits), "shuffled", multilabel=False).numpy()
    assert not np.allclose(hidden, evidence.logits)
    told, found = (DETECTOR.score(replace(evidence, logits=logits)) for logits in (evidence.logits, hidden))
    assert found == pytest.approx(told, abs=1e-9)


def test_nothing_to_compare_scores_zero(made: Any) -> None:
    assert DETECTOR.score(replace(made(10, outputs=40), logits=np.eye(10, 40))) == 0
    evidence = made(20)
    same = np.repeat(evidence.images[:1], 20, axis=0)
    assert DETECTOR.score(replace(evidence, images=same)) == 0
